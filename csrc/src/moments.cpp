#include "mapkernels/moments.hpp"

#include <algorithm>

#include "mapkernels/parallel.hpp"

namespace mapkernels {

namespace {

/// Running sums kept side by side, so that they vectorize without reordering and a sum of 65,536
/// values is 256 sums of 256: the order is the same on every machine and for every n_threads.
constexpr std::size_t n_lanes = 256;

double sum_of_lanes(const double* lanes) noexcept {
    double total = 0.0;
    for (std::size_t lane = 0; lane < n_lanes; ++lane) total += lanes[lane];
    return total;
}

/// Sum of term(x[i]) in double.
template <typename Term>
double sum(const float* x, std::size_t n, const Term& term) noexcept {
    double lanes[n_lanes] = {};
    for (std::size_t i = 0; i < n; i += n_lanes) {
        const std::size_t n_here = std::min(n_lanes, n - i);
        for (std::size_t lane = 0; lane < n_here; ++lane)
            lanes[lane] += term(static_cast<double>(x[i + lane]));
    }
    return sum_of_lanes(lanes);
}

}  // namespace

double mean_of(const float* x, std::size_t n) noexcept {
    return sum(x, n, [](double value) { return value; }) / static_cast<double>(n);
}

Moments moments_of(const float* x, std::size_t n) noexcept {
    const double mean = mean_of(x, n);
    const auto square = [mean](double value) { return (value - mean) * (value - mean); };
    return {static_cast<double>(n), mean, sum(x, n, square)};
}

Moments combine_moments(const double* rows, std::size_t n) noexcept {
    Moments all;
    for (std::size_t i = 0; i < n; ++i) {
        const Moments set{rows[3 * i], rows[3 * i + 1], rows[3 * i + 2]};
        const double total = all.count + set.count;
        if (total == 0.0) continue;
        const double share = set.count / total;
        const double shift = set.mean - all.mean;
        all.mean += shift * share;
        all.m2 += set.m2 + shift * shift * (all.count * share);
        all.count = total;
    }
    return all;
}

void map_moments(const float* maps, std::size_t n_maps, std::size_t n_pixels, int n_threads,
                 double* out) {
    for_each_map(n_maps, n_threads, [&](std::size_t i) {
        moments_of(maps + i * n_pixels, n_pixels).store(out + 3 * i);
    });
}

}  // namespace mapkernels
