#pragma once

#include <cstddef>

namespace mapkernels {

/// Count, mean and M2 = sum (x - mean)^2: what is needed to merge the statistics of sets.
struct Moments {
    double count = 0.0;
    double mean = 0.0;
    double m2 = 0.0;
};

/// Moments of n >= 1 values, in double: M2 to 2e-11 of itself, whatever the values.
Moments moments_of(const float* x, std::size_t n);

/// Moments of the union of n sets, one a row of three, combined in order (Chan, Golub &
/// LeVeque 1983).
Moments combine_moments(const double* rows, std::size_t n) noexcept;

/// Moments of each of n_maps maps of n_pixels >= 1 floats, one a row of three.
void map_moments(const float* maps, std::size_t n_maps, std::size_t n_pixels, int n_threads,
                 double* out);

}  // namespace mapkernels
