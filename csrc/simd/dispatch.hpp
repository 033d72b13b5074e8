#pragma once

#include "kernel_table.hpp"

namespace mapkernels {

/// The table of the instructions in use. A kernel asks once per call, so that all its maps
/// are computed alike.
const KernelTable& kernel_table();

}  // namespace mapkernels
