#include "mapkernels/remove_monopole.hpp"

#include "loops/in_use.hpp"
#include "mapkernels/moments.hpp"

namespace mapkernels {

void remove_monopole(const float* x, std::size_t n, float* out) {
    loops_in_use().subtract(x, n, moments_of(x, n).mean, out);
}

}  // namespace mapkernels
