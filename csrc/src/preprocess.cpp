#include "mapkernels/preprocess.hpp"

#include <vector>

#include "mapkernels/find_invalid.hpp"
#include "mapkernels/gaussian_smooth.hpp"
#include "mapkernels/logarithm.hpp"
#include "mapkernels/moments.hpp"
#include "mapkernels/parallel.hpp"
#include "mapkernels/remove_monopole.hpp"

namespace mapkernels {

namespace {

/// One raw map into one log map; returns the first invalid pixel or none_invalid.
///
/// Each step is a call into another translation unit, so the compiler cannot fuse roundings across
/// steps and the result equals the separate kernels'. A map of 256 KiB stays in L2 between them.
std::size_t preprocess_map(const float* map, std::size_t n_pixels, const Preprocessing& steps,
                           GaussianSmoother& smoother, float* out) {
    std::size_t invalid = find_invalid(map, n_pixels, true);
    if (invalid != none_invalid) return invalid;
    if (!smoother.is_identity()) {
        smoother.smooth(map, out);
        map = out;
    }
    invalid = find_invalid(map, n_pixels, steps.plus_one);
    if (invalid != none_invalid) return invalid;
    if (steps.plus_one) {
        log10p1(map, n_pixels, out);
    } else {
        log10(map, n_pixels, out);
    }
    if (steps.remove_monopole) remove_monopole(out, n_pixels, out);
    return none_invalid;
}

}  // namespace

std::size_t preprocess(const float* maps, std::size_t n_maps, std::size_t side,
                       const Preprocessing& steps, int n_threads, float* out, double* moments) {
    const std::size_t n_pixels = side * side;
    FirstIndex first;
    for_each_block(n_maps, n_threads, [&](std::size_t begin, std::size_t end) {
        GaussianSmoother smoother(side, steps.width);
        std::vector<float> scratch(out == nullptr ? n_pixels : 0);
        for (std::size_t i = begin; i < end; ++i) {
            float* const target = out == nullptr ? scratch.data() : out + i * n_pixels;
            const std::size_t invalid =
                preprocess_map(maps + i * n_pixels, n_pixels, steps, smoother, target);
            if (invalid != none_invalid) {
                first.report(i * n_pixels + invalid);
                return;
            }
            moments_of(target, n_pixels).store(moments + 3 * i);
        }
    });
    return first.get();
}

}  // namespace mapkernels
