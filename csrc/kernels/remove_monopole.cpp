#include "mapkernels/remove_monopole.hpp"

#include "mapkernels/moments.hpp"
#include "simd/dispatch.hpp"

namespace mapkernels {

void remove_monopole(const float* x, std::size_t n, float* out) {
    kernel_table().subtract(x, n, moments_of(x, n).mean, out);
}

}  // namespace mapkernels
