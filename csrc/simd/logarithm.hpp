#pragma once

#include "vectors.hpp"

namespace mapkernels {
namespace {

constexpr double log10_e = 0.43429448190325182765;

// Short leading parts, so that products with them round little or not at all, and the rest.
constexpr float log10_e_high = 0.5F;  // exact; with 0.4375 the worst error is 2.0 ulp, not 1.4
constexpr float log10_e_low = static_cast<float>(log10_e - 0.5);
constexpr float log10_2_high = 0.30078125F;  // 8 bits: exact times any exponent
constexpr float log10_2_low = static_cast<float>(0.30102999566398119521 - 0.30078125);

/// (ln(1 + f) - f + f^2 / 2) / f^3 for 1 + f in [sqrt(1/2), sqrt(2)]; the coefficients
/// are Cephes' logf.
inline Floats log_polynomial(const Floats& f) noexcept {
    Floats p = f * 7.0376836292e-2F - 1.1514610310e-1F;
    p = p * f + 1.1676998740e-1F;
    p = p * f - 1.2420140846e-1F;
    p = p * f + 1.4249322787e-1F;
    p = p * f - 1.6668057665e-1F;
    p = p * f + 2.0000714765e-1F;
    p = p * f - 2.4999993993e-1F;
    return p * f + 3.3333331174e-1F;
}

/// log10(u (1 + relative)) for a normal u > 0 and |relative| <= 2^-24.
///
/// u = 2^e (1 + f) with f exact; ln(1 + f) = f + rest, and the large parts are added last.
inline Floats log10_normal(const Floats& u, const Floats& relative) noexcept {
    constexpr std::uint32_t sqrt_half = 0x3f3504f3U;
    constexpr std::uint32_t mantissa_bits = 0x007fffffU;
    const Words above = cast<Words>(u) - sqrt_half;
    const Floats e = __builtin_convertvector(cast<Ints>(above) >> 23, Floats);
    const Floats f = cast<Floats>((above & mantissa_bits) + sqrt_half) - 1.0F;
    const Floats rest = f * f * (f * log_polynomial(f) - 0.5F) + relative;
    const Floats small =
        ((rest * log10_e_low + f * log10_e_low) + e * log10_2_low) + rest * log10_e_high;
    return (small + f * log10_e_high) + e * log10_2_high;
}

struct Log10 {
    template <typename T>
    static T argument(const T& x) noexcept {
        return x;
    }
    static Floats fast(const Floats& x) noexcept { return log10_normal(x, Floats{}); }
    static double exact(double x) noexcept { return __builtin_log10(x); }
};

struct Log10p1 {
    template <typename T>
    static T argument(const T& x) noexcept {
        return 1.0F + x;
    }
    /// 1 + x is rounded to u; Knuth's two-sum gives what the rounding lost.
    static Floats fast(const Floats& x) noexcept {
        const Floats u = 1.0F + x;
        const Floats x_in_u = u - 1.0F;
        const Floats lost = (1.0F - (u - x_in_u)) + (x - x_in_u);
        return log10_normal(u, lost / u);
    }
    static double exact(double x) noexcept { return __builtin_log1p(x) * log10_e; }
};

/// Larger than max_normal where x is no normal number > 0: zero, denormal, negative, infinite or
/// NaN.
///
/// Positive floats are ordered as their bits are, and every other float's bits are larger.
template <typename Unsigned, typename T>
inline Unsigned above_smallest_normal(const T& x) noexcept {
    return cast<Unsigned>(x) - 0x00800000U;
}

constexpr std::uint32_t max_normal = 0x7f7fffffU - 0x00800000U;

/// Pixels between two looks at whether one of them needs the slow path.
constexpr std::size_t n_together = 4 * n_lanes;

/// Takes the special ones of n_together logarithms again. Real maps have none, so this may be slow.
template <typename Log>
[[gnu::noinline]] void replace_special(const float* x, float* logs) noexcept {
    for (std::size_t i = 0; i < n_together; ++i)
        if (above_smallest_normal<std::uint32_t>(Log::argument(x[i])) > max_normal)
            logs[i] = static_cast<float>(Log::exact(static_cast<double>(x[i])));
}

/// out = Log(x) of n_together pixels; returns whether one was special.
template <typename Log>
inline bool take_together(const float* x, float* out) noexcept {
    Floats logs[4];
    Words largest{};
    for (std::size_t i = 0; i < 4; ++i) {
        const Floats pixels = load(x + i * n_lanes);
        largest = larger(largest, above_smallest_normal<Words>(Log::argument(pixels)));
        logs[i] = Log::fast(pixels);
    }
    if (!any(largest > max_normal)) {
        for (std::size_t i = 0; i < 4; ++i) store(logs[i], out + i * n_lanes);
        return false;
    }
    float patched[n_together];  // `out` may be `x`, which is still needed
    for (std::size_t i = 0; i < 4; ++i) store(logs[i], patched + i * n_lanes);
    replace_special<Log>(x, patched);
    __builtin_memcpy(out, patched, sizeof patched);
    return true;
}

/// out = Log(x) of n pixels; returns whether one was special. `out` may be `x`.
///
/// Not inlined, so that a pixel's logarithm is rounded in the same way wherever it is taken.
template <typename Log>
[[gnu::noinline]] bool take_log(const float* x, std::size_t n, float* out) noexcept {
    bool any_special = false;
    std::size_t i = 0;
    for (; i + n_together <= n; i += n_together) any_special |= take_together<Log>(x + i, out + i);
    if (i < n) {
        float rest[n_together];
        for (float& pixel : rest) pixel = 1.0F;
        __builtin_memcpy(rest, x + i, (n - i) * sizeof(float));
        any_special |= take_together<Log>(rest, rest);
        __builtin_memcpy(out + i, rest, (n - i) * sizeof(float));
    }
    return any_special;
}

void log10(const float* x, std::size_t n, float* out) noexcept { take_log<Log10>(x, n, out); }

void log10p1(const float* x, std::size_t n, float* out) noexcept { take_log<Log10p1>(x, n, out); }

}  // namespace
}  // namespace mapkernels
