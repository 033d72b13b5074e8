#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>

namespace mapkernels {

/// "Every pixel is valid."
constexpr std::size_t none_invalid = std::numeric_limits<std::size_t>::max();

/// Index of the first of n_maps * n_pixels values that is NaN, infinite, negative or, unless
/// allow_zero, zero (of either sign); none_invalid if there is none, for any n_threads.
std::size_t find_invalid(const float* maps, std::size_t n_maps, std::size_t n_pixels,
                         bool allow_zero, int n_threads);

/// Widths beyond this are refused: the kernel would have more than 2^24 taps a side.
constexpr double max_smoothing_width = 4194303.0;  // [pixels]

/// Gaussian smoothing of periodic square maps.
///
/// out = maps * G(width), separable, wrapped in both axes, truncated at 4 sigma. Preconditions
/// (checked by the caller): side >= 1, 0 <= width <= max_smoothing_width; `maps` and `out` hold
/// n_maps * side * side floats, and are the same or do not overlap. Two pixels at the same distance
/// are added before they are weighted, so pixels of 2^127 (1.7e38) and above may give inf where the
/// weighted sum would not; nobody checks that, but preprocess reports such a pixel. Cost: 4 r
/// side^2 additions and half as many multiplications a map, r = 4 width. The result does not depend
/// on n_threads.
void gaussian_smooth(const float* maps, std::size_t n_maps, std::size_t side, double width,
                     int n_threads, float* out);

/// out[i] = log10(x[i]) to 2 ulp, for every float: 0 gives -inf, a negative value NaN, inf inf.
/// `out` may be `x` itself, but not overlap it otherwise.
void log10(const float* x, std::size_t n, float* out);

/// out[i] = log10(1 + x[i]) to 2 ulp, also for small x: -1 gives -inf, less NaN. As log10
/// otherwise.
void log10p1(const float* x, std::size_t n, float* out);

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

/// out = x - mean(x) for n >= 1 values; mean and difference in double. `out` may be `x` itself.
void remove_monopole(const float* x, std::size_t n, float* out);

/// A place in a file that is open for reading.
struct FilePlace {
    int descriptor;
    std::int64_t offset;  ///< [bytes]
};

/// A file that cannot be read, or ends too early.
class FileError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Maps in memory, or in the file that they are mapped from.
///
/// To read a map into scratch memory that stays in the cache costs a copy, and no page faults nor,
/// with several threads, messages between cores when its pages are given back.
struct RawMaps {
    const float* maps;
    std::size_t n_pixels;           ///< of a map
    std::optional<FilePlace> file;  ///< where maps[0] is; none for maps in memory

    /// Map i, read into `scratch`, n_pixels floats, if it is in a file. Throws FileError.
    [[nodiscard]] const float* map(std::size_t i, float* scratch) const;
};

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
