#pragma once

#include <cstddef>

namespace mapkernels {

/// Count, mean and M2 = sum (x - mean)^2: what is needed to merge the statistics of sets.
struct Moments {
    double count = 0.0;
    double mean = 0.0;
    double m2 = 0.0;

    /// As a row of three numbers, which is how they are kept.
    void store(double* row) const noexcept {
        row[0] = count;
        row[1] = mean;
        row[2] = m2;
    }
};

/// Mean of n >= 1 values, in double.
double mean_of(const float* x, std::size_t n) noexcept;

/// Moments of n >= 1 values, in double and two passes: exact to about 1e-15 sqrt(n)
/// whatever the mean.
Moments moments_of(const float* x, std::size_t n) noexcept;

/// Moments of the union of n sets, one a row of three, combined in order (Chan, Golub &
/// LeVeque 1983).
Moments combine_moments(const double* rows, std::size_t n) noexcept;

/// Moments of each of n_maps maps of n_pixels >= 1 floats, one a row of three.
void map_moments(const float* maps, std::size_t n_maps, std::size_t n_pixels, int n_threads,
                 double* out);

}  // namespace mapkernels
