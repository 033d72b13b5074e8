#pragma once

#include "vectors.hpp"

namespace mapkernels {
namespace {

/// Larger than max_valid where x is invalid.
///
/// Positive finite floats are ordered as their bits are, and the bits of infinity, NaN and every
/// negative float are larger. Zero is added to make -0 a 0, or 1 is subtracted to make 0 the
/// largest.
template <bool allow_zero>
struct Validity {
    static constexpr std::uint32_t max_valid = allow_zero ? 0x7f7fffffU : 0x7f7ffffeU;

    static Words of(const Floats& x) noexcept {
        return allow_zero ? cast<Words>(x + 0.0F) : cast<Words>(x) - 1U;
    }
};

/// The first of n values that is invalid; n if there is none.
template <bool allow_zero>
inline std::size_t find(const float* x, std::size_t n) noexcept {
    constexpr float largest_float = 0x1.fffffep127F;
    constexpr std::size_t n_together = 16 * n_lanes;  // pixels looked at before one is looked for
    std::size_t i = 0;
    for (; i + n_together <= n; i += n_together) {
        Words largest{};
        for (std::size_t j = 0; j < n_together; j += n_lanes)
            largest = larger(largest, Validity<allow_zero>::of(load(x + i + j)));
        if (any(largest > Validity<allow_zero>::max_valid)) break;
    }
    while (i < n && (allow_zero ? x[i] >= 0.0F : x[i] > 0.0F) && x[i] <= largest_float) ++i;
    return i;
}

std::size_t find_invalid(const float* x, std::size_t n, bool allow_zero) noexcept {
    return allow_zero ? find<true>(x, n) : find<false>(x, n);
}

}  // namespace
}  // namespace mapkernels
