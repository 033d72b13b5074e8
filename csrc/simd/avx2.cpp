#include "this_table.hpp"

namespace mapkernels {

const KernelTable& avx2_kernels() noexcept { return this_table; }

}  // namespace mapkernels
