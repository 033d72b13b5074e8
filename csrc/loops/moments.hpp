#pragma once

#include "vectors.hpp"

namespace mapkernels {
namespace {

/// Pixels whose moments are summed before they are merged with those of the pixels before them; 8
/// KiB of them stay in L1.
constexpr std::size_t n_block = 2048;

/// a - b. With fused multiply-adds on the multipliers: the adders are busy with the sums.
inline Doubles difference(const Doubles& a, double b) noexcept {
#if defined(__AVX2__)
    return cast<Doubles>(_mm256_fmsub_pd(cast<__m256d>(a), _mm256_set1_pd(1.0), _mm256_set1_pd(b)));
#else
    return a - b;
#endif
}

/// Count, mean and M2 of 1 <= n <= n_block values.
///
/// One pass, in double, over differences from the first value p: M2 = sum (x - p)^2 - (sum (x -
/// p))^2 / n. As p is one of the values, the first sum is at most n + 1 times M2, whatever the
/// values, so that no more than 2,049 eps64 sqrt(n), 2e-11, is lost in the subtraction.
[[gnu::noinline]] void block_moments(const float* x, std::size_t n, double* row) noexcept {
    constexpr std::size_t n_sums = 4;
    const double pivot = static_cast<double>(x[0]);
    Doubles sums[n_sums] = {}, squares[n_sums] = {};
    std::size_t i = 0;
    for (; i + n_sums * n_doubles <= n; i += n_sums * n_doubles)
        for (std::size_t s = 0; s < n_sums; ++s) {
            const Doubles d = difference(load_wide(x + i + s * n_doubles), pivot);
            sums[s] += d;
            squares[s] += d * d;
        }
    double sum = 0.0, square = 0.0;
    for (; i < n; ++i) {
        const double d = static_cast<double>(x[i]) - pivot;
        sum += d;
        square += d * d;
    }
    const Doubles all_sums = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    const Doubles all_squares = (squares[0] + squares[1]) + (squares[2] + squares[3]);
    for (std::size_t lane = 0; lane < n_doubles; ++lane) {
        sum += all_sums[lane];
        square += all_squares[lane];
    }
    const double shift = sum / static_cast<double>(n);
    const double m2 = square - sum * shift;
    row[0] = static_cast<double>(n);
    row[1] = pivot + shift;
    row[2] = m2 < 0.0 ? 0.0 : m2;  // NaN stays NaN
}

/// Merges a set that is not empty into another (Chan, Golub & LeVeque 1983).
[[gnu::noinline]] void merge_moments(double* all, const double* set) noexcept {
    const double total = all[0] + set[0];
    const double share = set[0] / total;
    const double shift = set[1] - all[1];
    all[1] += shift * share;
    all[2] += set[2] + shift * shift * (all[0] * share);
    all[0] = total;
}

/// Count, mean and M2 of n values, block by block in order.
void moments(const float* x, std::size_t n, double* row) noexcept {
    row[0] = row[1] = row[2] = 0.0;
    for (std::size_t i = 0; i < n; i += n_block) {
        double set[3];
        block_moments(x + i, smaller(n_block, n - i), set);
        merge_moments(row, set);
    }
}

/// out = x - value, in double; `out` may be `x`.
void subtract(const float* x, std::size_t n, double value, float* out) noexcept {
    std::size_t i = 0;
    for (; i + n_doubles <= n; i += n_doubles)
        store(__builtin_convertvector(load_wide(x + i) - value, NarrowFloats), out + i);
    for (; i < n; ++i) out[i] = static_cast<float>(static_cast<double>(x[i]) - value);
}

}  // namespace
}  // namespace mapkernels
