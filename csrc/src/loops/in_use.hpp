#pragma once

#include "loops.hpp"

namespace mapkernels {

/// The loops compiled for the instructions in use. A kernel asks once a call, so that all its maps
/// are computed alike.
const Loops& loops_in_use();

}  // namespace mapkernels
