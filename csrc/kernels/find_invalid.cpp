#include "mapkernels/find_invalid.hpp"

#include "mapkernels/parallel.hpp"
#include "simd/dispatch.hpp"

namespace mapkernels {

std::size_t find_invalid(const float* x, std::size_t n, bool allow_zero) {
    const std::size_t first = kernel_table().find_invalid(x, n, allow_zero);
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

}  // namespace mapkernels
