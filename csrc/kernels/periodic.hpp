#pragma once

#include <cstdint>

namespace mapkernels {

/// Into [0, 1), by truncation: SSE2 converts to integers but has no floor. |x| < 2^31.
inline double wrap(double x) noexcept {
    x -= static_cast<double>(static_cast<std::int32_t>(x));
    x = x < 0.0 ? x + 1.0 : x;
    return x < 1.0 ? x : 0.0;  // -1e-17 + 1 is 1
}

}  // namespace mapkernels
