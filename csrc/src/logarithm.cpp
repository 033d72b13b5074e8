#include "mapkernels/logarithm.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace mapkernels {

namespace {

constexpr double log10_e = 0.43429448190325182765;

// Short leading parts, so that products with them round little or not at all, and the rest.
constexpr float log10_e_high = 0.5F;  // exact; with 0.4375 the worst error is 2.0 ulp, not 1.4
constexpr float log10_e_low = static_cast<float>(log10_e - 0.5);
constexpr float log10_2_high = 0.30078125F;  // 8 bits: exact times any exponent
constexpr float log10_2_low = static_cast<float>(0.30102999566398119521 - 0.30078125);

/// Pixels between two looks at whether one of them needs the slow path; 4 KiB of them.
constexpr std::size_t block_size = 1024;

std::uint32_t bits_of(float x) noexcept {
    std::uint32_t bits = 0;
    std::memcpy(&bits, &x, sizeof bits);
    return bits;
}

float float_of(std::uint32_t bits) noexcept {
    float x = 0.0F;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

/// (ln(1 + f) - f + f^2 / 2) / f^3 for 1 + f in [sqrt(1/2), sqrt(2)]; the coefficients
/// are Cephes' logf.
float log_polynomial(float f) noexcept {
    float p = 7.0376836292e-2F;
    p = p * f - 1.1514610310e-1F;
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
float log10_normal(float u, float relative) noexcept {
    constexpr std::uint32_t sqrt_half = 0x3f3504f3U;
    constexpr std::uint32_t exponent_bits = 0xff800000U;
    const std::uint32_t bits = bits_of(u);
    const std::uint32_t above = bits - sqrt_half;
    const auto e = static_cast<float>(static_cast<std::int32_t>(above) >> 23);
    const float f = float_of(bits - (above & exponent_bits)) - 1.0F;
    const float rest = f * f * (f * log_polynomial(f) - 0.5F) + relative;
    const float small =
        ((rest * log10_e_low + f * log10_e_low) + e * log10_2_low) + rest * log10_e_high;
    return (small + f * log10_e_high) + e * log10_2_high;
}

bool is_normal_positive(float x) noexcept {
    // Both sides are evaluated (& not &&), which lets the loop around be vectorized.
    return static_cast<bool>(static_cast<int>(x >= std::numeric_limits<float>::min()) &
                             static_cast<int>(x <= std::numeric_limits<float>::max()));
}

struct Log10 {
    static float argument(float x) noexcept { return x; }
    static float fast(float x) noexcept { return log10_normal(x, 0.0F); }
    static double exact(double x) noexcept { return std::log10(x); }
};

struct Log10p1 {
    static float argument(float x) noexcept { return 1.0F + x; }
    /// 1 + x is rounded to u; Knuth's two-sum gives what the rounding lost.
    static float fast(float x) noexcept {
        const float u = 1.0F + x;
        const float x_in_u = u - 1.0F;
        const float lost = (1.0F - (u - x_in_u)) + (x - x_in_u);
        return log10_normal(u, lost / u);
    }
    static double exact(double x) noexcept { return std::log1p(x) * log10_e; }
};

/// out = Log(x), n <= block_size: all by the fast path, then again those it is not made for (zero,
/// denormal, negative, infinite, NaN). Real maps have none, so the second loop is rare.
template <typename Log>
void take_block(const float* x, std::size_t n, float* out) noexcept {
    float argument_of[block_size];
    std::copy_n(x, n, argument_of);
    int special = 0;
    for (std::size_t i = 0; i < n; ++i) {
        special |= static_cast<int>(!is_normal_positive(Log::argument(argument_of[i])));
        out[i] = Log::fast(argument_of[i]);
    }
    if (special == 0) return;
    for (std::size_t i = 0; i < n; ++i)
        if (!is_normal_positive(Log::argument(argument_of[i])))
            out[i] = static_cast<float>(Log::exact(static_cast<double>(argument_of[i])));
}

template <typename Log>
void take(const float* x, std::size_t n, float* out) noexcept {
    for (std::size_t i = 0; i < n; i += block_size)
        take_block<Log>(x + i, std::min(block_size, n - i), out + i);
}

}  // namespace

void log10(const float* x, std::size_t n, float* out) noexcept { take<Log10>(x, n, out); }

void log10p1(const float* x, std::size_t n, float* out) noexcept { take<Log10p1>(x, n, out); }

}  // namespace mapkernels
