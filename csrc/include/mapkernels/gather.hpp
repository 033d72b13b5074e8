#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mapkernels {

/// A batch of B square maps in C channels, assembled from one array of maps a channel.
///
/// It owns all but the maps, so that what was checked is what is read.
struct Batch {
    std::vector<const float*> fields;       ///< C arrays of maps of side * side floats
    std::size_t side;                       ///< L
    std::vector<std::int64_t> index;        ///< (B,) which map
    std::vector<std::int64_t> orientation;  ///< (B,) 2 * quarter turns + flip of axis 0 afterwards
    std::vector<std::int64_t> shift;  ///< (B, 2) periodic shift [pixels], before the orientation
    std::vector<double> mean;         ///< (C,)
    std::vector<double> std;          ///< (C,)
};

/// out[b, c] = (orient(roll(fields[c][index[b]], shift[b]), orientation[b]) - mean[c]) *
/// (1 / std[c]).
///
/// Mean and 1 / std are rounded to float and the arithmetic is in float, as NumPy would do it, so
/// both agree bit for bit. Preconditions (checked by the caller): every index lies in every field,
/// each orientation in 0..7; mean and 1 / std are finite floats; `out` holds B * C * side * side
/// floats and overlaps no field.
void gather(const Batch& batch, int n_threads, float* out);

}  // namespace mapkernels
