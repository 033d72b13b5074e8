#include "all.hpp"

namespace mapkernels {

const Loops& avx2_loops() noexcept { return these_loops; }

}  // namespace mapkernels
