#include "mapkernels/preprocess.hpp"

#include "map_preprocessor.hpp"
#include "mapkernels/find_invalid.hpp"
#include "mapkernels/parallel.hpp"
#include "scratch.hpp"

namespace mapkernels {

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
