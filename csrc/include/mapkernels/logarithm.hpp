#pragma once

#include <cstddef>

namespace mapkernels {

/// out[i] = log10(x[i]) to 2 ulp, for every float: 0 gives -inf, a negative value NaN, inf inf.
/// `out` may be `x` itself, but not overlap it otherwise.
void log10(const float* x, std::size_t n, float* out);

/// out[i] = log10(1 + x[i]) to 2 ulp, also for small x: -1 gives -inf, less NaN. As log10
/// otherwise.
void log10p1(const float* x, std::size_t n, float* out);

}  // namespace mapkernels
