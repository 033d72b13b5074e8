#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mapkernels {

/// A batch of B square maps in C channels, assembled from one array of maps a channel.
struct Batch {
    std::vector<const float*> fields;  ///< C arrays of maps of side * side floats
    std::size_t n_batch;               ///< B
    std::size_t side;                  ///< L
    const std::int64_t* index;         ///< (B,) which map
    const std::int64_t*
        orientation;            ///< (B,) 2 * quarter turns + flip of axis 0 afterwards, 0 to 7
    const std::int64_t* shift;  ///< (B, 2) periodic shift [pixels], before the orientation
    const double* mean;         ///< (C,)
    const double* std;          ///< (C,)
};

/// out[b, c] = (orient(roll(fields[c][index[b]], shift[b]), orientation[b]) - mean[c]) *
/// (1 / std[c]).
///
/// Mean and 1 / std are rounded to float and the arithmetic is in float, as NumPy would do it, so
/// both agree bit for bit. Preconditions (checked by the caller): every index lies in every field,
/// each orientation in 0..7, std > 0; `out` holds B * C * side * side floats and overlaps no field.
void gather(const Batch& batch, int n_threads, float* out);

}  // namespace mapkernels
