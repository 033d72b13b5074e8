#include "mapkernels/preprocess.hpp"

#include <cmath>
#include <vector>

#include "mapkernels/find_invalid.hpp"
#include "mapkernels/gaussian_smooth.hpp"
#include "mapkernels/parallel.hpp"
#include "scratch.hpp"
#include "simd/dispatch.hpp"

namespace mapkernels {

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
          kernels_(kernel_table()) {}

    /// One raw map into one log map, if `out` is not null, and its moments; returns the first
    /// invalid pixel or n_pixels. `next` is the raw map after it in memory, or null.
    std::size_t run(const float* map, const float* next, float* out, double* row) {
        const float* argument = map;
        // what log10(x) shows by itself, a smoothed map or log10(1 + x) may hide
        if (!smoothed_.empty() || steps_.plus_one) {
            const std::size_t invalid = kernels_.find_invalid(map, n_pixels_, true);
            if (invalid < n_pixels_) return invalid;
        }
        if (!smoothed_.empty()) {
            smoother_.smooth(map, smoothed_.data(), next);
            argument = smoothed_.data();
        }
        take_log(argument, out, row);
        if (std::isfinite(row[1]) && std::isfinite(row[2])) return n_pixels_;
        const std::size_t invalid = kernels_.find_invalid(map, n_pixels_, true);
        if (invalid < n_pixels_) return invalid;
        return kernels_.find_invalid(argument, n_pixels_, steps_.plus_one);
    }

private:
    void take_log(const float* argument, float* out, double* row) {
        if (!steps_.remove_monopole)
            return kernels_.take_log({argument, n_pixels_, steps_.plus_one, out, streaming_}, row);
        kernels_.take_log({argument, n_pixels_, steps_.plus_one, log_map_.data(), false}, row);
        if (out == nullptr) out = log_map_.data();
        kernels_.subtract(log_map_.data(), n_pixels_, row[1], out);
        kernels_.moments(out, n_pixels_, row);
    }

    std::size_t n_pixels_;
    Preprocessing steps_;
    bool streaming_;
    GaussianSmoother smoother_;
    std::vector<float> smoothed_;
    std::vector<float> log_map_;  ///< with its monopole
    const KernelTable& kernels_;
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
