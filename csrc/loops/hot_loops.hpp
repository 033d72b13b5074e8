#pragma once

#include <cstddef>

#include "mapkernels/gather.hpp"

namespace mapkernels {

/// Floats of a cache line, which is the widest vector too.
constexpr std::size_t line_floats = 16;

/// Rows that the smoothing computes together, whatever the width of a vector.
constexpr std::size_t band_rows = 16;

/// What smoothing one map needs besides the map; made once for a side and a width.
struct SmoothingPlan {
    std::size_t side;      ///< L >= band_rows
    std::size_t radius;    ///< <= L / 2
    const float* weights;  ///< radius + 1, by distance
    const float** rows;    ///< scratch: band_rows + 2 radius
    float* lines;          ///< scratch: line_floats * (band_rows + 2 radius), aligned
    float* columns;        ///< scratch: band_rows * (L + 2 radius), aligned to 64 bytes
    float* band;           ///< scratch: band_rows * L; null to write into `out` directly
};

/// One map on its way to a log map; see `preprocess`.
struct LogStep {
    const float* x;
    std::size_t n;
    bool plus_one;   ///< log10(1 + x) instead of log10(x)
    float* out;      ///< null for the moments alone
    bool streaming;  ///< write past the caches
};

/// Which source pixel each pixel of an axis comes from.
struct Trace {
    std::size_t start;  ///< of pixel 0; < side
    bool backwards;     ///< start, start - 1, ... and not start, start + 1, ...; wrapped

    [[gnu::always_inline]] inline std::size_t at(std::size_t i, std::size_t side) const noexcept {
        const std::size_t source = start + (backwards ? side - i : i);
        return source < side ? source : source - side;
    }
};

/// One map of a batch; see `gather`.
struct MapCopy {
    const void* map;  ///< side * side pixels
    PixelType type;
    std::size_t side;
    bool
        transposed;  ///< out (i, j) comes from (columns[j], rows[i]), and not (rows[i], columns[j])
    Trace rows;
    Trace columns;
    float mean;
    float inverse_std;
    void* out;  ///< side * side pixels, apart from `map`
    PixelType out_type;
    bool streaming;    ///< write past the caches
    float* band;       ///< scratch: band_rows * side, aligned to 64 bytes
    const void* next;  ///< pixels that will be read next, as many; or null
};

/// The loops in which the time goes, compiled once for each set of instructions.
///
/// For one set, what a loop makes of a pixel or a map does not depend on the thread, on the maps
/// around or on addresses; another set may round otherwise.
///
/// Their contracts are those of the kernels of the same name in include/mapkernels.
struct HotLoops {
    /// `map` and `out` do not overlap. `next` will be read next, or is null.
    void (*smooth)(const SmoothingPlan& plan, const float* map, const float* next,
                   float* out) noexcept;
    void (*log10)(const float* x, std::size_t n, float* out) noexcept;
    void (*log10p1)(const float* x, std::size_t n, float* out) noexcept;
    /// Writes count, mean and M2; n >= 1.
    void (*moments)(const float* x, std::size_t n, double* row) noexcept;
    void (*subtract)(const float* x, std::size_t n, double value, float* out) noexcept;
    /// The first invalid one; n if there is none.
    std::size_t (*find_invalid)(const float* x, std::size_t n, bool allow_zero) noexcept;
    /// Logarithm and its moments in one pass; `out` and `x` do not overlap.
    void (*take_log)(const LogStep& step, double* row) noexcept;
    void (*gather)(const MapCopy& copy) noexcept;
};

extern const HotLoops portable_loops, avx2_loops, avx512_loops;

/// Those of the instructions in use. A kernel asks once per call, so that all its maps are computed
/// alike.
const HotLoops& hot_loops();

}  // namespace mapkernels
