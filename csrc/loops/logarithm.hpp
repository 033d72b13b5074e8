#pragma once

#include "vectors.hpp"

namespace mapkernels {
namespace {

constexpr double log10_e = 0.43429448190325182765;

// A short leading part, so that its product with an exponent is exact, and the rest.
constexpr float log10_2_high = 0.30078125F;  // 8 bits
constexpr float log10_2_low = static_cast<float>(0.30102999566398119521 - 0.30078125);

/// What 1 + x lost when it was rounded to u.
inline Floats lost_by_rounding(const Floats& x, const Floats& u) noexcept {
    const Floats one = Floats{} + 1.0F;
    return smaller(x, one) - (u - larger(x, one));
}

#if defined(__AVX512F__)

// For each sixteenth of the mantissa, in [1, 1.5) and then in [0.75, 1), a reciprocal whose
// logarithm is a multiple of 2^-17 to 4e-11: a sum of it and e log10_2_high is exact. Both are
// exact around 1.
alignas(64) constexpr float reciprocals[16] = {
    1.0F,       0.9171019F, 0.8647178F, 0.8170033F, 0.78171986F, 0.7432318F, 0.7076449F, 0.6789304F,
    1.3127649F, 1.2608908F, 1.2060137F, 1.1592944F, 1.1279156F,  1.0886114F, 1.0532085F, 1.0F};
alignas(64) constexpr float tabulated_logs[16] = {0.0F,
                                                  4926 * 0x1p-17F,
                                                  8274 * 0x1p-17F,
                                                  11505 * 0x1p-17F,
                                                  14018 * 0x1p-17F,
                                                  16892 * 0x1p-17F,
                                                  19685 * 0x1p-17F,
                                                  22043 * 0x1p-17F,
                                                  -15491 * 0x1p-17F,
                                                  -13196 * 0x1p-17F,
                                                  -10663 * 0x1p-17F,
                                                  -8414 * 0x1p-17F,
                                                  -6852 * 0x1p-17F,
                                                  -4833 * 0x1p-17F,
                                                  -2951 * 0x1p-17F,
                                                  0.0F};

/// u = 2^e m with m in [0.75, 1.5), and r = m / (tabulated m) - 1 in [-1/32, 1/16].
///
/// Zero, infinity, NaN, negative and denormal numbers need no care: e is -inf, inf or NaN, or
/// right.
struct Reduced {
    Floats minus_e;
    Floats r;
    Floats tabulated;  ///< logarithm
};

template <bool plus_one>
inline Reduced reduce(const Floats& x) noexcept {
    const Floats u = plus_one ? 1.0F + x : x;
    const __m512 m = _mm512_getmant_ps(cast<__m512>(u), _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_nan);
    const __m512i place = _mm512_srli_epi32(_mm512_castps_si512(m), 19);
    const __m512 reciprocal = _mm512_permutexvar_ps(place, _mm512_load_ps(reciprocals));
    const __m512 minus_e = _mm512_getexp_ps(m) - _mm512_getexp_ps(cast<__m512>(u));
    __m512 r = _mm512_fmsub_ps(m, reciprocal, _mm512_set1_ps(1.0F));
    if constexpr (plus_one) {
        const __m512 lost = _mm512_scalef_ps(cast<__m512>(lost_by_rounding(x, u)), minus_e);
        const __mmask16 finite = _mm512_cmp_ps_mask(lost, lost, _CMP_ORD_Q);  // u is not 0 or inf
        r = _mm512_mask3_fmadd_ps(lost, reciprocal, r, finite);
    }
    return {cast<Floats>(minus_e), cast<Floats>(r),
            cast<Floats>(_mm512_permutexvar_ps(place, _mm512_load_ps(tabulated_logs)))};
}

/// The polynomial is log10(1 + r) / r to 2.2e-9 of itself.
template <bool plus_one>
inline Floats log10_of(const Reduced& u) noexcept {
    Floats p = u.r * 8.160523e-2F - 1.0860123e-1F;
    p = u.r * p + 1.4477097e-1F;
    p = u.r * p - 2.1714725e-1F;
    p = u.r * p + 4.3429449e-1F;
    return (u.tabulated - u.minus_e * log10_2_high) + (u.r * p - u.minus_e * log10_2_low);
}

template <bool plus_one>
inline Ints special(const Floats& /*x*/) noexcept {
    return Ints{};
}

#else

/// u = 2^e (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)], and s = f / (2 + f).
struct Reduced {
    Floats e;
    Floats f;
    Floats s;
    Floats lost;  ///< by f where it was rounded
};

template <bool plus_one>
inline Reduced reduce(const Floats& x) noexcept {
    constexpr std::uint32_t sqrt_half = 0x3f3504f3U, mantissa_bits = 0x007fffffU;
    const Floats u = plus_one ? 1.0F + x : x;
    const Words above = cast<Words>(u) - sqrt_half;
    const Floats e = __builtin_convertvector(cast<Ints>(above) >> 23, Floats);
    const Floats m = cast<Floats>((above & mantissa_bits) + sqrt_half);
    const Floats f = m - 1.0F;
    if constexpr (!plus_one) return {e, f, f / (m + 1.0F), Floats{}};
    const Floats two_to_minus_e = cast<Floats>(0x3f800000U - (above & ~mantissa_bits));
    const Floats scaled = lost_by_rounding(x, u) * two_to_minus_e;
    const Floats correction = u < 0x1p30F ? scaled : Floats{};  // beyond, 2^-e may be wrong
    const Floats corrected = f + correction;
    return {e, corrected, corrected / (corrected + 2.0F), correction - (corrected - f)};
}

/// ln(1 + f) = f - s (f - s^2 q(s^2)): f is exact, and the rest is small. The large parts of the
/// logarithm, exact too, are added last. q, times log10(e), is a polynomial to 2.8e-7 of itself.
template <bool plus_one>
inline Floats log10_of(const Reduced& u) noexcept {
    const Floats z = u.s * u.s;
    const Floats q = (z * 1.2846695e-1F + 1.7366899e-1F) * z + 2.8952973e-1F;
    const Floats high = u.f * 0.5F, low = u.f * static_cast<float>(log10_e - 0.5);
    Floats rest = (low + u.e * log10_2_low) - u.s * (u.f * static_cast<float>(log10_e) - z * q);
    if constexpr (plus_one) rest += u.lost * static_cast<float>(log10_e);
    return (high + u.e * log10_2_high) + rest;
}

/// -1 where the argument of the logarithm is no normal number > 0 but zero, denormal, negative,
/// infinite or NaN. Positive floats are ordered as their bits are, and every other float's bits are
/// larger.
template <bool plus_one>
inline Ints special(const Floats& x) noexcept {
    const Words bits = cast<Words>(plus_one ? 1.0F + x : x);
    return cast<Ints>(bits + 0x7f800000U) > -0x01000001;  // signed: x86 has no other comparison
}

#endif

/// Takes the special ones of n logarithms again. Real maps have none, so this may be slow.
template <bool plus_one>
[[gnu::noinline]] void replace_special(const float* x, std::size_t n, float* logs) noexcept {
    for (std::size_t i = 0; i < n; ++i) {
        const double wide = static_cast<double>(x[i]);
        const float u = plus_one ? 1.0F + x[i] : x[i];
        if (u >= 0x1p-126F && u <= 0x1.fffffep127F) continue;
        logs[i] =
            static_cast<float>(plus_one ? __builtin_log1p(wide) * log10_e : __builtin_log10(wide));
    }
}

/// Several vectors are taken together, in two steps. One after another, the chain of 60 cycles
/// through each would leave a processor idle, which sees only 100 instructions ahead: 66 and not 48
/// us per map with SSE2.
constexpr std::size_t n_vectors = n_lanes == 4 ? 8 : 4, n_together = n_vectors * n_lanes;

/// out = log10(x) or log10(1 + x) of n_together pixels; `out` may be `x`.
template <bool plus_one>
inline void take_together(const float* x, float* out) noexcept {
    Reduced reduced[n_vectors];
    Ints specials{};
    for (std::size_t j = 0; j < n_vectors; ++j) {
        const Floats pixels = load(x + j * n_lanes);
        specials |= special<plus_one>(pixels);
        reduced[j] = reduce<plus_one>(pixels);
    }
    float arguments[n_together];
    const bool has_special = any(specials);
    if (has_special) __builtin_memcpy(arguments, x, sizeof arguments);
    for (std::size_t j = 0; j < n_vectors; ++j)
        store(log10_of<plus_one>(reduced[j]), out + j * n_lanes);
    if (has_special) replace_special<plus_one>(arguments, n_together, out);
}

/// The same of n pixels.
template <bool plus_one>
inline void take_log(const float* x, std::size_t n, float* out) noexcept {
    std::size_t i = 0;
    for (; i + n_together <= n; i += n_together) take_together<plus_one>(x + i, out + i);
    if (i == n) return;
    float rest[n_together];
    for (float& pixel : rest) pixel = 1.0F;
    __builtin_memcpy(rest, x + i, (n - i) * sizeof(float));
    take_together<plus_one>(rest, rest);
    __builtin_memcpy(out + i, rest, (n - i) * sizeof(float));
}

void log10(const float* x, std::size_t n, float* out) noexcept { take_log<false>(x, n, out); }

void log10p1(const float* x, std::size_t n, float* out) noexcept { take_log<true>(x, n, out); }

}  // namespace
}  // namespace mapkernels
