#pragma once

#include <cstddef>

#include "mapkernels/raw_maps.hpp"

namespace mapkernels {

/// What happens to a raw map on its way to a log map.
struct Preprocessing {
    double width;          ///< of the Gaussian smoothing [pixels]
    bool plus_one;         ///< log10(1 + x) instead of log10(x)
    bool remove_monopole;  ///< subtract each log map's own mean
};

/// Check, smooth, take the logarithm, optionally remove the monopole, and take moments: each map
/// once, while it is in cache. Equal, bit for bit, to the kernels called one after another.
///
/// Preconditions (checked by the caller): side >= 1, 0 <= width <= max_smoothing_width; `maps`
/// holds n_maps maps of side * side pixels; `out` as many, apart from `maps`, or is null for the
/// moments alone; `moments` holds n_maps rows of count, mean, M2. Returns none_invalid, or the
/// index of the first pixel, in the first bad map, that is not finite and >= 0, or whose smoothed
/// value is not finite and (unless plus_one) > 0; `out` and `moments` are then unspecified. The
/// result does not depend on n_threads. Throws FileError.
std::size_t preprocess(const RawMaps& maps, std::size_t n_maps, std::size_t side,
                       const Preprocessing& steps, int n_threads, float* out, double* moments);

}  // namespace mapkernels
