#include "mapkernels/moments.hpp"

#include "mapkernels/parallel.hpp"
#include "simd/dispatch.hpp"

namespace mapkernels {

Moments moments_of(const float* x, std::size_t n) {
    double row[3];
    kernel_table().moments(x, n, row);
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
    const KernelTable& kernels = kernel_table();
    for_each_map(n_maps, n_threads, [&](std::size_t i) {
        kernels.moments(maps + i * n_pixels, n_pixels, out + 3 * i);
    });
}

}  // namespace mapkernels
