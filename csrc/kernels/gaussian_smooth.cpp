#include <algorithm>
#include <cmath>

#include "loops/hot_loops.hpp"
#include "mapkernels/maps.hpp"
#include "mapkernels/parallel.hpp"
#include "scratch.hpp"

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

/// The smallest multiple of n that is at least `least`.
std::size_t smallest_multiple(std::size_t n, std::size_t least) noexcept {
    return (least + n - 1) / n * n;
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

struct GaussianSmoother::Scratch {
    Scratch(std::size_t map_side, double width, bool streaming)
        : side(map_side),
          tiled_side(smallest_multiple(map_side, band_rows)),
          weights(gaussian_weights(map_side, width)),
          radius(weights.size() - 1),
          rows(band_rows + 2 * radius),
          lines(aligned_floats(line_floats * rows.size())),
          columns(aligned_floats(band_rows * (tiled_side + 2 * radius))),
          band(aligned_floats(streaming ? band_rows * tiled_side : 0)),
          loops(hot_loops()) {}

    std::size_t side;
    std::size_t tiled_side;  ///< of the map that is smoothed: `side`, unless that is too short
    std::vector<float> weights;
    std::size_t radius;
    std::vector<const float*> rows;
    AlignedFloats lines;
    AlignedFloats columns;
    AlignedFloats band;
    std::vector<float> copy;      ///< of the map, if the result overwrites it, or tiled
    std::vector<float> smoothed;  ///< the smoothed tiles
    const HotLoops& loops;

    void run(const float* map, const float* next, float* out) {
        loops.smooth({tiled_side, radius, weights.data(), rows.data(), lines.get(), columns.get(),
                      band.get()},
                     map, next, out);
    }

    /// A map shorter than a band: a periodic map and its repetition are the same thing.
    void run_tiled(const float* map, float* out) {
        copy.resize(tiled_side * tiled_side);
        smoothed.resize(copy.size());
        for (std::size_t i = 0; i < copy.size(); ++i)
            copy[i] = map[i / tiled_side % side * side + i % tiled_side % side];
        run(copy.data(), nullptr, smoothed.data());
        for (std::size_t y = 0; y < side; ++y)
            std::copy_n(smoothed.data() + y * tiled_side, side, out + y * side);
    }
};

GaussianSmoother::GaussianSmoother(std::size_t side, double width, bool streaming)
    : scratch_(std::make_unique<Scratch>(side, width, streaming)) {}

GaussianSmoother::~GaussianSmoother() = default;

bool GaussianSmoother::is_identity() const noexcept { return scratch_->radius == 0; }

void GaussianSmoother::smooth(const float* map, float* out, const float* next) {
    const std::size_t n_pixels = scratch_->side * scratch_->side;
    if (is_identity()) {
        if (map != out) std::copy_n(map, n_pixels, out);
    } else if (scratch_->tiled_side != scratch_->side) {
        scratch_->run_tiled(map, out);
    } else if (map == out) {
        scratch_->copy.assign(map, map + n_pixels);
        scratch_->run(scratch_->copy.data(), next, out);
    } else {
        scratch_->run(map, next, out);
    }
}

void gaussian_smooth(const float* maps, std::size_t n_maps, std::size_t side, double width,
                     int n_threads, float* out) {
    const bool streaming = n_maps * side * side * sizeof(float) >= streaming_bytes;
    for_each_block(n_maps, n_threads, [&](std::size_t begin, std::size_t end) {
        GaussianSmoother smoother(side, width, streaming);
        for (std::size_t i = begin; i < end; ++i) {
            const float* const map = maps + i * side * side;
            smoother.smooth(map, out + i * side * side, i + 1 < end ? map + side * side : nullptr);
        }
    });
}

}  // namespace mapkernels
