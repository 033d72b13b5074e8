#pragma once

#include "vectors.hpp"

/// Pixels of 16 bits: to float exactly, from float rounded to the nearest, ties to even.
///
/// Infinities stay, NaN stays NaN (quiet, as hardware converts), denormal numbers are not flushed.
namespace mapkernels {
namespace {

using Halves = std::uint16_t __attribute__((vector_size(vector_bytes / 2)));

struct Float16 {
    std::uint16_t bits;
};

struct BFloat16 {
    std::uint16_t bits;
};

inline Words select(const Ints& condition, const Words& a, const Words& b) noexcept {
    return (cast<Words>(condition) & a) | (~cast<Words>(condition) & b);
}

inline Floats load(const Float16* from) noexcept {
#if defined(__AVX512F__)
    return cast<Floats>(_mm512_cvtph_ps(load<__m256i>(from)));
#elif defined(__AVX2__)
    return cast<Floats>(_mm256_cvtph_ps(load<__m128i>(from)));
#else
    const Words half = __builtin_convertvector(load<Halves>(from), Words);
    const Words magnitude = (half & 0x7fffU) << 13;
    // The product moves the exponent, exactly also where it is denormal; infinity and NaN need
    // more.
    const Words finite = cast<Words>(cast<Floats>(magnitude) * 0x1p112F);
    const Words quiet = select(magnitude > (31U << 23), Words{} + (1U << 22), Words{});
    const Words any = finite | select(magnitude >= (31U << 23), quiet | 0x7f800000U, Words{});
    return cast<Floats>(any | (half & 0x8000U) << 16);
#endif
}

inline Floats load(const BFloat16* from) noexcept {
    return cast<Floats>(__builtin_convertvector(load<Halves>(from), Words) << 16);
}

inline void store(const Floats& x, Float16* to) noexcept {
#if defined(__AVX512F__)
    store(_mm512_cvtps_ph(cast<__m512>(x), _MM_FROUND_TO_NEAREST_INT), &to->bits);
#elif defined(__AVX2__)
    store(_mm256_cvtps_ph(cast<__m256>(x), _MM_FROUND_TO_NEAREST_INT), &to->bits);
#else
    constexpr std::uint32_t infinity = 255U << 23;
    constexpr std::uint32_t bias = (127U - 15U) << 23;
    const Words sign = cast<Words>(x) & 0x80000000U;
    const Words magnitude = cast<Words>(x) ^ sign;
    const Words odd = magnitude >> 13 & 1U;
    const Words normal = (magnitude - bias + 0xfffU + odd) >> 13;
    // Denormal: added to 0.5, whose last bit is 2^-24, the sum is rounded where it must be.
    const Words half_bits = Words{} + (126U << 23);
    const Words denormal =
        cast<Words>(cast<Floats>(magnitude) + cast<Floats>(half_bits)) - half_bits;
    const Words finite = select(magnitude < (113U << 23), denormal, normal);
    const Words nan = (magnitude >> 13 & 0x3ffU) | 0x7e00U;
    const Words too_large = select(magnitude > infinity, nan, Words{} + 0x7c00U);
    const Words any = select(magnitude >= (143U << 23), too_large, finite);
    store(__builtin_convertvector(any | sign >> 16, Halves), &to->bits);
#endif
}

inline void store(const Floats& x, BFloat16* to) noexcept {
    const Words bits = cast<Words>(x);
    const Words rounded = (bits + 0x7fffU + (bits >> 16 & 1U)) >> 16;
    const Words nan = bits >> 16 | 0x40U;
    const Words any = select((bits & 0x7fffffffU) > 0x7f800000U, nan, rounded);
    store(__builtin_convertvector(any, Halves), &to->bits);
}

}  // namespace
}  // namespace mapkernels
