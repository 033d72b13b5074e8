#include "mapkernels/gaussian_smooth.hpp"

#include <algorithm>
#include <cmath>

#include "mapkernels/parallel.hpp"

namespace mapkernels {

namespace {

/// Weights of scipy's kernel on one side, unwrapped: at distances 0 to int(4 width + 0.5).
std::vector<double> truncated_gaussian(double width) {
    const auto radius = static_cast<std::size_t>(std::floor(4.0 * width + 0.5));
    std::vector<double> weights(radius + 1, 1.0);
    double total = 1.0;
    for (std::size_t k = 1; k <= radius; ++k) {
        const double distance = static_cast<double>(k) / width;
        weights[k] = std::exp(-0.5 * distance * distance);
        total += 2.0 * weights[k];
    }
    for (double& weight : weights) weight /= total;
    return weights;
}

/// Wraps a kernel onto a circle of `side` pixels: at most side / 2 + 1 weights remain.
std::vector<double> wrap_weights(const std::vector<double>& weights, std::size_t side) {
    std::vector<double> wrapped(side, 0.0);
    wrapped[0] = weights[0];
    for (std::size_t k = 1; k < weights.size(); ++k) {
        wrapped[k % side] += weights[k];
        wrapped[(side - k % side) % side] += weights[k];
    }
    wrapped.resize(side / 2 + 1);
    // On an even circle the opposite pixel is one, but is counted as before and as after.
    if (side % 2 == 0) wrapped.back() *= 0.5;
    return wrapped;
}

}  // namespace

std::vector<float> gaussian_weights(std::size_t side, double width) {
    std::vector<double> weights = truncated_gaussian(width);
    if (weights.size() > side / 2 + 1) weights = wrap_weights(weights, side);
    std::vector<float> rounded(weights.size());
    std::transform(weights.begin(), weights.end(), rounded.begin(),
                   [](double weight) { return static_cast<float>(weight); });
    return rounded;
}

GaussianSmoother::GaussianSmoother(std::size_t side, double width)
    : side_(side), weights_(gaussian_weights(side, width)) {
    const std::size_t radius = weights_.size() - 1;
    row_.resize(side + 2 * radius);
    pairs_.resize(radius);
    for (std::size_t k = 1; k <= radius; ++k) pairs_[k - 1].weight = weights_[k];
}

void GaussianSmoother::smooth(const float* map, float* out) {
    const std::size_t n_pixels = side_ * side_;
    if (is_identity()) {
        if (map != out) std::copy_n(map, n_pixels, out);
        return;
    }
    if (map == out) {
        copy_.assign(map, map + n_pixels);
        map = copy_.data();
    }
    for (std::size_t y = 0; y < side_; ++y) {
        smooth_columns(map, y);
        smooth_row(out + y * side_);
    }
}

/// Row y of the map smoothed along axis 0, into the middle of row_.
void GaussianSmoother::smooth_columns(const float* map, std::size_t y) {
    for (std::size_t k = 1; k <= pairs_.size(); ++k) {
        pairs_[k - 1].before = map + (y >= k ? y - k : y + side_ - k) * side_;
        pairs_[k - 1].after = map + (y + k < side_ ? y + k : y + k - side_) * side_;
    }
    add_pairs(map + y * side_, row_.data() + pairs_.size());
}

/// row_ smoothed along axis 1. The margin makes the wrap disappear from the inner loop.
void GaussianSmoother::smooth_row(float* out) {
    const std::size_t radius = pairs_.size();
    float* const middle = row_.data() + radius;
    std::copy_n(middle + side_ - radius, radius, row_.data());
    std::copy_n(middle, radius, middle + side_);
    for (std::size_t k = 1; k <= radius; ++k) {
        pairs_[k - 1].before = middle - k;
        pairs_[k - 1].after = middle + k;
    }
    add_pairs(middle, out);
}

/// out = weight_0 center + sum_k weight_k (before_k + after_k), for one row.
///
/// Four distances a pass: a pass over the row in registers costs one load and one store of `out`,
/// and ten streams are what a core follows. Each pass sums its own terms first, so the rounding
/// error grows with the number of passes, r / 4, not of taps: 2e-7 in all at r = 20.
void GaussianSmoother::add_pairs(const float* center, float* out_row) const {
    float* const __restrict out = out_row;
    const float center_weight = weights_[0];
    const std::size_t n = side_;
    for (std::size_t x = 0; x < n; ++x) out[x] = center_weight * center[x];

    const std::size_t n_pairs = pairs_.size();
    std::size_t k = 0;
    for (; k + 4 <= n_pairs; k += 4) {
        const Pair p = pairs_[k], q = pairs_[k + 1], r = pairs_[k + 2], s = pairs_[k + 3];
        for (std::size_t x = 0; x < n; ++x)
            out[x] +=
                (p.weight * (p.before[x] + p.after[x]) + q.weight * (q.before[x] + q.after[x])) +
                (r.weight * (r.before[x] + r.after[x]) + s.weight * (s.before[x] + s.after[x]));
    }
    for (; k < n_pairs; ++k) {
        const Pair p = pairs_[k];
        for (std::size_t x = 0; x < n; ++x) out[x] += p.weight * (p.before[x] + p.after[x]);
    }
}

void gaussian_smooth(const float* maps, std::size_t n_maps, std::size_t side, double width,
                     int n_threads, float* out) {
    for_each_block(n_maps, n_threads, [&](std::size_t begin, std::size_t end) {
        GaussianSmoother smoother(side, width);
        for (std::size_t i = begin; i < end; ++i)
            smoother.smooth(maps + i * side * side, out + i * side * side);
    });
}

}  // namespace mapkernels
