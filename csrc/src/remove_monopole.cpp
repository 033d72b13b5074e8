#include "mapkernels/remove_monopole.hpp"

#include "mapkernels/moments.hpp"

namespace mapkernels {

void remove_monopole(const float* x, std::size_t n, float* out) noexcept {
    const double mean = mean_of(x, n);
    for (std::size_t i = 0; i < n; ++i)
        out[i] = static_cast<float>(static_cast<double>(x[i]) - mean);
}

}  // namespace mapkernels
