#pragma once

#include <cstddef>

namespace mapkernels {

/// Rows that the smoothing computes together, whatever the width of a vector.
constexpr std::size_t band_rows = 16;

/// What smoothing one map needs besides the map; made once for a side and a width.
struct SmoothingPlan {
    std::size_t side;      ///< L >= band_rows
    std::size_t radius;    ///< <= L / 2
    const float* weights;  ///< radius + 1, by distance
    const float** rows;    ///< scratch: band_rows + 2 radius
    float* columns;        ///< scratch: band_rows * (L + 2 radius), aligned to 64 bytes
};

/// The loops in which the time goes, compiled once for each set of instructions.
///
/// Their contracts are those of the kernels of the same name in include/mapkernels.
struct Loops {
    /// `map` and `out` do not overlap.
    void (*smooth)(const SmoothingPlan& plan, const float* map, float* out) noexcept;
};

const Loops& portable_loops() noexcept;
const Loops& avx2_loops() noexcept;
const Loops& avx512_loops() noexcept;

}  // namespace mapkernels
