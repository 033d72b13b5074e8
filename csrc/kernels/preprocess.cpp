#include "mapkernels/preprocess.hpp"

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
    /// invalid pixel or n_pixels.
    std::size_t run(const float* map, float* out, double* row) {
        const float* argument = map;
        if (!smoothed_.empty()) {
            const std::size_t invalid = kernels_.find_invalid(map, n_pixels_, true);
            if (invalid < n_pixels_) return invalid;
            smoother_.smooth(map, smoothed_.data());
            argument = smoothed_.data();
        }
        if (take_log(argument, out, row)) {
            // Zero, denormal, negative, infinite or NaN: perhaps invalid. Raw pixels come first.
            const std::size_t invalid = kernels_.find_invalid(map, n_pixels_, true);
            if (invalid < n_pixels_) return invalid;
            return kernels_.find_invalid(argument, n_pixels_, steps_.plus_one);
        }
        return n_pixels_;
    }

private:
    bool take_log(const float* argument, float* out, double* row) {
        if (!steps_.remove_monopole)
            return kernels_.take_log({argument, n_pixels_, steps_.plus_one, out, streaming_}, row);
        const bool special =
            kernels_.take_log({argument, n_pixels_, steps_.plus_one, log_map_.data(), false}, row);
        if (out == nullptr) out = log_map_.data();
        kernels_.subtract(log_map_.data(), n_pixels_, row[1], out);
        kernels_.moments(out, n_pixels_, row);
        return special;
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
            const std::size_t invalid =
                preprocessor.run(maps.map(i, scratch.get()), target, moments + 3 * i);
            if (invalid < n_pixels) {
                first.report(i * n_pixels + invalid);
                return;
            }
        }
    });
    return first.get();
}

}  // namespace mapkernels
