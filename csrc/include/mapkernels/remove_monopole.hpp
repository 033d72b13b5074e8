#pragma once

#include <cstddef>

namespace mapkernels {

/// out = x - mean(x) for n >= 1 values; mean and difference in double. `out` may be `x` itself.
void remove_monopole(const float* x, std::size_t n, float* out);

}  // namespace mapkernels
