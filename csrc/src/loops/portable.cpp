#include "all.hpp"

namespace mapkernels {

const Loops& portable_loops() noexcept { return these_loops; }

}  // namespace mapkernels
