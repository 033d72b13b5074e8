#include "this_table.hpp"

namespace mapkernels {

const KernelTable& portable_kernels() noexcept { return this_table; }

}  // namespace mapkernels
