#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mapkernels {

/// How a pixel is stored. Arithmetic is in float32 whatever the type.
enum class PixelType {
    float32,
    float16,   ///< IEEE 754 half: 11 bits of precision, to 65,504
    bfloat16,  ///< the upper half of a float32: 8 bits of precision
};

constexpr std::size_t size_of(PixelType type) noexcept {
    return type == PixelType::float32 ? 4 : 2;
}

/// A batch of B square maps in C channels, assembled from one array of maps a channel.
///
/// It owns all but the maps, so that what was checked is what is read.
struct Batch {
    std::vector<const void*> fields;        ///< C arrays of maps of side * side pixels
    std::size_t side;                       ///< L
    std::vector<std::int64_t> index;        ///< (B,) which map
    std::vector<std::int64_t> orientation;  ///< (B,) 2 * quarter turns + flip of axis 0 afterwards
    std::vector<std::int64_t> shift;  ///< (B, 2) periodic shift [pixels], before the orientation
    std::vector<double> mean;         ///< (C,)
    std::vector<double> std;          ///< (C,)
    PixelType type = PixelType::float32;      ///< of the fields
    PixelType out_type = PixelType::float32;  ///< of the batch
};

/// out[b, c] = (orient(roll(fields[c][index[b]], shift[b]), orientation[b]) - mean[c]) *
/// (1 / std[c]).
///
/// Mean and 1 / std are rounded to float and the arithmetic is in float, as NumPy would do it, so
/// both agree bit for bit; a result in 16 bits is rounded once more, to the nearest, ties to even.
/// Preconditions (checked by the caller): every index lies in every field, each orientation in
/// 0..7; mean and 1 / std are finite floats; `out` holds B * C * side * side pixels and overlaps no
/// field.
void gather(const Batch& batch, int n_threads, void* out);

}  // namespace mapkernels
