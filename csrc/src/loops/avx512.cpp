#include "all.hpp"

namespace mapkernels {

const Loops& avx512_loops() noexcept { return these_loops; }

}  // namespace mapkernels
