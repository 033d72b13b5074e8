#include "mapkernels/maps.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#include "loops/hot_loops.hpp"
#include "mapkernels/parallel.hpp"
#include "scratch.hpp"

namespace mapkernels {

namespace {

/// The smallest of the indices that threads report; so it does not matter who reports first.
class FirstIndex {
public:
    void report(std::size_t index) noexcept {
        std::size_t known = first_.load();
        while (index < known && !first_.compare_exchange_weak(known, index)) {
        }
    }
    [[nodiscard]] std::size_t get() const noexcept { return first_.load(); }

private:
    std::atomic<std::size_t> first_{none_invalid};
};

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

/// One side of the kernel scipy.ndimage.gaussian_filter(mode="wrap") uses, for maps of
/// `side` pixels.
///
/// Element k is the weight at distance k: exp(-k^2 / 2 width^2) for k <= int(4 width + 0.5),
/// normalized to a sum of 1 over both sides. A kernel longer than the map is wrapped onto it, so
/// that there are never more than side / 2 + 1 elements. Precondition: 0 <= width <=
/// max_smoothing_width.
std::vector<float> gaussian_weights(std::size_t side, double width) {
    std::vector<double> weights = truncated_gaussian(width);
    if (weights.size() > side / 2 + 1) weights = wrap_weights(weights, side);
    std::vector<float> rounded(weights.size());
    std::transform(weights.begin(), weights.end(), rounded.begin(),
                   [](double weight) { return static_cast<float>(weight); });
    return rounded;
}

/// Smooths maps of one size by one width. Holds scratch memory, so each thread needs its own.
class GaussianSmoother {
public:
    /// If `streaming`, results are written past the caches: for what is not read again soon.
    GaussianSmoother(std::size_t side, double width, bool streaming)
        : side_(side),
          tiled_side_((band_rows + side - 1) / side * side),
          weights_(gaussian_weights(side, width)),
          radius_(weights_.size() - 1),
          rows_(band_rows + 2 * radius_),
          lines_(aligned_floats(line_floats * rows_.size())),
          columns_(aligned_floats(band_rows * (tiled_side_ + 2 * radius_))),
          band_(aligned_floats(streaming ? band_rows * tiled_side_ : 0)),
          loops_(hot_loops()) {}

    /// True if smoothing changes nothing: width < 1/8 pixel leaves a kernel of one tap.
    [[nodiscard]] bool is_identity() const noexcept { return radius_ == 0; }

    /// Smooths one map; `out` may be `map`. `next` is the map that will be read next, if there is
    /// one: it is fetched.
    void smooth(const float* map, float* out, const float* next) {
        const std::size_t n_pixels = side_ * side_;
        if (is_identity()) {
            if (map != out) std::copy_n(map, n_pixels, out);
        } else if (tiled_side_ != side_) {
            smooth_tiles(map, out);
        } else if (map == out) {
            copy_.assign(map, map + n_pixels);
            run(copy_.data(), next, out);
        } else {
            run(map, next, out);
        }
    }

private:
    void run(const float* map, const float* next, float* out) {
        loops_.smooth({tiled_side_, radius_, weights_.data(), rows_.data(), lines_.get(),
                       columns_.get(), band_.get()},
                      map, next, out);
    }

    /// A map shorter than a band: a periodic map and its repetition are the same thing.
    void smooth_tiles(const float* map, float* out) {
        copy_.resize(tiled_side_ * tiled_side_);
        smoothed_.resize(copy_.size());
        for (std::size_t i = 0; i < copy_.size(); ++i)
            copy_[i] = map[i / tiled_side_ % side_ * side_ + i % tiled_side_ % side_];
        run(copy_.data(), nullptr, smoothed_.data());
        for (std::size_t y = 0; y < side_; ++y)
            std::copy_n(smoothed_.data() + y * tiled_side_, side_, out + y * side_);
    }

    std::size_t side_;
    std::size_t tiled_side_;  ///< the smallest multiple of side_ that is no shorter than a band
    std::vector<float> weights_;
    std::size_t radius_;
    std::vector<const float*> rows_;
    AlignedFloats lines_;
    AlignedFloats columns_;
    AlignedFloats band_;
    std::vector<float> copy_;      ///< of the map, if the result overwrites it, or tiled
    std::vector<float> smoothed_;  ///< the smoothed tiles
    const HotLoops& loops_;
};

/// Turns raw maps into log maps, one at a time. Holds scratch memory, so each thread needs its own.
class MapPreprocessor {
public:
    MapPreprocessor(std::size_t side, const Preprocessing& steps, bool streaming)
        : n_pixels_(side * side),
          steps_(steps),
          streaming_(streaming),
          smoother_(side, steps.width, false),
          smoothed_(smoother_.is_identity() ? 0 : n_pixels_),
          log_map_(steps.remove_monopole ? n_pixels_ : 0),
          loops_(hot_loops()) {}

    /// One raw map into one log map, if `out` is not null, and its moments; returns the first
    /// invalid pixel or n_pixels. `next` is the raw map after it in memory, or null.
    std::size_t run(const float* map, const float* next, float* out, double* row) {
        const float* argument = map;
        // what log10(x) shows by itself, a smoothed map or log10(1 + x) may hide
        if (!smoothed_.empty() || steps_.plus_one) {
            const std::size_t invalid = loops_.find_invalid(map, n_pixels_, true);
            if (invalid < n_pixels_) return invalid;
        }
        if (!smoothed_.empty()) {
            smoother_.smooth(map, smoothed_.data(), next);
            argument = smoothed_.data();
        }
        take_log(argument, out, row);
        if (std::isfinite(row[1]) && std::isfinite(row[2])) return n_pixels_;
        const std::size_t invalid = loops_.find_invalid(map, n_pixels_, true);
        if (invalid < n_pixels_) return invalid;
        return loops_.find_invalid(argument, n_pixels_, steps_.plus_one);
    }

private:
    void take_log(const float* argument, float* out, double* row) {
        if (!steps_.remove_monopole)
            return loops_.take_log({argument, n_pixels_, steps_.plus_one, out, streaming_}, row);
        loops_.take_log({argument, n_pixels_, steps_.plus_one, log_map_.data(), false}, row);
        if (out == nullptr) out = log_map_.data();
        loops_.subtract(log_map_.data(), n_pixels_, row[1], out);
        loops_.moments(out, n_pixels_, row);
    }

    std::size_t n_pixels_;
    Preprocessing steps_;
    bool streaming_;
    GaussianSmoother smoother_;
    std::vector<float> smoothed_;
    std::vector<float> log_map_;  ///< with its monopole
    const HotLoops& loops_;
};

}  // namespace

std::size_t find_invalid(const float* maps, std::size_t n_maps, std::size_t n_pixels,
                         bool allow_zero, int n_threads) {
    const HotLoops& loops = hot_loops();
    FirstIndex first;
    for_each_block(n_maps, n_threads, [&](std::size_t begin, std::size_t end) {
        const std::size_t n = (end - begin) * n_pixels;
        const std::size_t index = loops.find_invalid(maps + begin * n_pixels, n, allow_zero);
        if (index < n) first.report(begin * n_pixels + index);
    });
    return first.get();
}

void log10(const float* x, std::size_t n, float* out) { hot_loops().log10(x, n, out); }

void log10p1(const float* x, std::size_t n, float* out) { hot_loops().log10p1(x, n, out); }

Moments moments_of(const float* x, std::size_t n) {
    double row[3];
    hot_loops().moments(x, n, row);
    return {row[0], row[1], row[2]};
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
    const HotLoops& loops = hot_loops();
    for_each_map(n_maps, n_threads,
                 [&](std::size_t i) { loops.moments(maps + i * n_pixels, n_pixels, out + 3 * i); });
}

void remove_monopole(const float* x, std::size_t n, float* out) {
    hot_loops().subtract(x, n, moments_of(x, n).mean, out);
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

std::size_t preprocess(const RawMaps& maps, std::size_t n_maps, std::size_t side,
                       const Preprocessing& steps, int n_threads, float* out, double* moments) {
    const std::size_t n_pixels = side * side;
    const bool streaming = out != nullptr && n_maps * n_pixels * sizeof(float) >= streaming_bytes;
    FirstIndex first;
    for_each_block(n_maps, n_threads, [&](std::size_t begin, std::size_t end) {
        MapPreprocessor preprocessor(side, steps, streaming);
        const AlignedFloats scratch = aligned_floats(maps.file ? n_pixels : 0);
        for (std::size_t i = begin; i < end; ++i) {
            float* const target = out == nullptr ? nullptr : out + i * n_pixels;
            const float* const map = maps.map(i, scratch.get());
            const float* const next = maps.file || i + 1 == end ? nullptr : map + n_pixels;
            const std::size_t invalid = preprocessor.run(map, next, target, moments + 3 * i);
            if (invalid < n_pixels) {
                first.report(i * n_pixels + invalid);
                return;
            }
        }
    });
    return first.get();
}

}  // namespace mapkernels
