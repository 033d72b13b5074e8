#include "mapkernels/maps.hpp"

#include <cmath>
#include <vector>

#include "loops/hot_loops.hpp"
#include "mapkernels/parallel.hpp"
#include "scratch.hpp"

namespace mapkernels {

std::size_t find_invalid(const float* x, std::size_t n, bool allow_zero) {
    const std::size_t first = hot_loops().find_invalid(x, n, allow_zero);
    return first < n ? first : none_invalid;
}

std::size_t find_invalid(const float* maps, std::size_t n_maps, std::size_t n_pixels,
                         bool allow_zero, int n_threads) {
    FirstIndex first;
    for_each_block(n_maps, n_threads, [&](std::size_t begin, std::size_t end) {
        const std::size_t index =
            find_invalid(maps + begin * n_pixels, (end - begin) * n_pixels, allow_zero);
        if (index != none_invalid) first.report(begin * n_pixels + index);
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

namespace {

/// Turns raw maps into log maps, one at a time. Holds scratch memory, so each thread needs its own.
class MapPreprocessor {
public:
    MapPreprocessor(std::size_t side, const Preprocessing& steps, bool streaming)
        : n_pixels_(side * side),
          steps_(steps),
          streaming_(streaming),
          smoother_(side, steps.width),
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
