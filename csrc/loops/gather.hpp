#pragma once

#include "hot_loops.hpp"
#include "pixels.hpp"
#include "vectors.hpp"

namespace mapkernels {
namespace {

constexpr std::size_t cache_line = line_floats * sizeof(float);

struct Standardization {
    float mean;
    float inverse_std;

    template <typename T>
    T operator()(const T& x) const noexcept {
        return (x - mean) * inverse_std;
    }
};

/// One pixel, by the same conversion as a vector of them.
template <typename Pixel>
inline float load_one(const Pixel* from) noexcept {
    Pixel padded[n_lanes] = {*from};
    return load(padded)[0];
}

inline float load_one(const float* from) noexcept { return *from; }

/// out[j] = standardized from[j], or from[-j], for j < n.
template <bool backwards, typename Pixel>
inline void copy_run(const Pixel* from, std::size_t n, const Standardization& standardize,
                     float* out) noexcept {
    if (n < n_lanes) {
        for (std::size_t j = 0; j < n; ++j)
            out[j] = standardize(load_one(backwards ? from - j : from + j));
        return;
    }
    for (std::size_t begin = 0; begin < n; begin += n_lanes) {
        const std::size_t j = smaller(begin, n - n_lanes);  // the last two may overlap
        const Floats x = backwards ? reverse(load(from - j - (n_lanes - 1))) : load(from + j);
        store(standardize(x), out + j);
    }
}

/// Fetches into L2 the pixels [begin, begin + n) of what is read next, little by little: no
/// processor foresees which map that will be.
template <typename Pixel>
inline void prefetch_next(const MapCopy& copy, std::size_t begin, std::size_t n) noexcept {
    if (copy.next == nullptr) return;
    const auto* const first =
        reinterpret_cast<const char*>(static_cast<const Pixel*>(copy.next) + begin);
    for (std::size_t i = 0; i < n * sizeof(Pixel); i += cache_line)
        __builtin_prefetch(first + i, 0, 2);
}

/// Rows of a band whose sources are rows: two runs each, split where the source wraps. In the order
/// of the source, which is quicker to read forwards.
template <typename Pixel>
inline void copy_rows(const MapCopy& copy, std::size_t first_row, std::size_t n_rows,
                      float* band) noexcept {
    const std::size_t side = copy.side, start = copy.columns.start;
    const Standardization standardize{copy.mean, copy.inverse_std};
    for (std::size_t done = 0; done < n_rows; ++done) {
        const std::size_t i = copy.rows.backwards ? n_rows - 1 - done : done;
        prefetch_next<Pixel>(copy, (first_row + done) * side, side);
        const auto* const row =
            static_cast<const Pixel*>(copy.map) + copy.rows.at(first_row + i, side) * side;
        float* const out = band + i * side;
        if (copy.columns.backwards) {
            copy_run<true>(row + start, start + 1, standardize, out);
            copy_run<true>(row + side - 1, side - start - 1, standardize, out + start + 1);
        } else {
            copy_run<false>(row + start, side - start, standardize, out);
            copy_run<false>(row, start, standardize, out + side - start);
        }
    }
}

/// Rows of a band whose sources are columns: any, one pixel at a time.
template <typename Pixel>
inline void turn_pixels(const MapCopy& copy, std::size_t first_row, std::size_t n_rows,
                        float* band) noexcept {
    const auto* const map = static_cast<const Pixel*>(copy.map);
    const Standardization standardize{copy.mean, copy.inverse_std};
    for (std::size_t j = 0; j < copy.side; ++j) {
        const Pixel* const source = map + copy.columns.at(j, copy.side) * copy.side;
        for (std::size_t i = 0; i < n_rows; ++i)
            band[i * copy.side + j] =
                standardize(load_one(source + copy.rows.at(first_row + i, copy.side)));
    }
}

/// Whether `out` is to be written past the caches, and in whole lines.
inline bool has_whole_lines(const MapCopy& copy) noexcept {
    return copy.streaming && copy.out_type == PixelType::float32 && copy.side % line_floats == 0 &&
           reinterpret_cast<std::uintptr_t>(copy.out) % cache_line == 0;
}

/// The same for a whole band whose source columns are neighbors, by blocks of n_lanes^2 pixels.
///
/// If past_caches, straight to `out`, a whole cache line at a time: reading and writing of memory
/// overlap, which they do not where a band is filled and then sent on. See has_whole_lines.
template <typename Pixel, bool past_caches>
inline void turn_blocks(const MapCopy& copy, std::size_t first_row, float* band) noexcept {
    constexpr std::size_t width = past_caches ? line_floats : n_lanes;
    const auto* const map = static_cast<const Pixel*>(copy.map);
    const Standardization standardize{copy.mean, copy.inverse_std};
    const std::size_t side = copy.side;
    const bool backwards = copy.rows.backwards;
    const std::size_t first = copy.rows.at(backwards ? first_row + band_rows - 1 : first_row, side);
    for (std::size_t begin = 0; begin < side; begin += width) {
        const std::size_t j = smaller(begin, side - width);  // the last two may overlap
        prefetch_next<Pixel>(copy, first_row * side + j * band_rows, width * band_rows);
        const Pixel* sources[width];
        for (std::size_t column = 0; column < width; ++column)
            sources[column] = map + copy.columns.at(j + column, side) * side + first;
        for (std::size_t part = 0; part < band_rows; part += n_lanes) {
            Floats blocks[width / n_lanes][n_lanes];
            for (std::size_t group = 0; group < width / n_lanes; ++group) {
                for (std::size_t lane = 0; lane < n_lanes; ++lane)
                    blocks[group][lane] = standardize(load(sources[group * n_lanes + lane] + part));
                transpose(blocks[group]);
            }
            for (std::size_t i = 0; i < n_lanes; ++i) {
                float* const row = band + (backwards ? band_rows - 1 - part - i : part + i) * side;
                for (std::size_t group = 0; group < width / n_lanes; ++group)
                    if constexpr (past_caches)
                        store_past_caches(cast<Ints>(blocks[group][i]), row + j + group * n_lanes);
                    else
                        store(blocks[group][i], row + j);
            }
        }
    }
}

/// Whether the sources of a whole band are neighbors: the source does not wrap inside it.
inline bool is_one_block(const MapCopy& copy, std::size_t first_row, std::size_t n_rows) noexcept {
    const std::size_t ends[2] = {copy.rows.at(first_row, copy.side),
                                 copy.rows.at(first_row + n_rows - 1, copy.side)};
    const std::size_t distance = copy.rows.backwards ? ends[0] - ends[1] : ends[1] - ends[0];
    return n_rows == band_rows && distance == band_rows - 1;
}

/// Converts n floats to pixels of another type; `to` may be `from`.
template <typename Pixel>
inline void convert(const float* from, std::size_t n, Pixel* to) noexcept {
    std::size_t i = 0;
    for (; i + n_lanes <= n; i += n_lanes) store(load(from + i), to + i);
    if (i < n) {
        float rest[n_lanes] = {};
        Pixel converted[n_lanes];
        __builtin_memcpy(rest, from + i, (n - i) * sizeof(float));
        store(load(rest), converted);
        __builtin_memcpy(to + i, converted, (n - i) * sizeof(Pixel));
    }
}

/// Sends a band of floats to its place in `out`, as `out`'s type; it is converted in place.
template <typename Pixel>
inline void write_band(const MapCopy& copy, std::size_t first, std::size_t n) noexcept {
    Pixel* const to = static_cast<Pixel*>(copy.out) + first;
    auto* const converted = reinterpret_cast<Pixel*>(copy.band);
    if (sizeof(Pixel) != sizeof(float)) convert(copy.band, n, converted);
    if (copy.streaming)
        copy_past_caches(converted, n * sizeof(Pixel), to);
    else
        __builtin_memcpy(to, converted, n * sizeof(Pixel));
}

inline void write_band(const MapCopy& copy, std::size_t first, std::size_t n) noexcept {
    switch (copy.out_type) {
        case PixelType::float32:
            return write_band<float>(copy, first, n);
        case PixelType::float16:
            return write_band<Float16>(copy, first, n);
        case PixelType::bfloat16:
            return write_band<BFloat16>(copy, first, n);
    }
}

template <typename Pixel>
inline void gather_pixels(const MapCopy& copy) noexcept {
    const std::size_t side = copy.side, n_rows = smaller(side, band_rows);
    if (!copy.transposed && copy.out_type == PixelType::float32)
        return copy_rows<Pixel>(copy, 0, side, static_cast<float*>(copy.out));
    for (std::size_t begin = 0; begin < side; begin += n_rows) {
        const std::size_t row = smaller(begin, side - n_rows);  // the last two may overlap
        const bool one_block = copy.transposed && is_one_block(copy, row, n_rows);
        if (one_block && has_whole_lines(copy)) {
            turn_blocks<Pixel, true>(copy, row, static_cast<float*>(copy.out) + row * side);
            continue;
        }
        if (one_block)
            turn_blocks<Pixel, false>(copy, row, copy.band);
        else if (copy.transposed)
            turn_pixels<Pixel>(copy, row, n_rows, copy.band);
        else
            copy_rows<Pixel>(copy, row, n_rows, copy.band);
        write_band(copy, row * side, n_rows * side);
    }
    if (copy.streaming) end_of_streaming();
}

/// Rows of floats straight to where they belong. All else band by band, as floats in L1; these are
/// converted and written on.
void gather(const MapCopy& copy) noexcept {
    switch (copy.type) {
        case PixelType::float32:
            return gather_pixels<float>(copy);
        case PixelType::float16:
            return gather_pixels<Float16>(copy);
        case PixelType::bfloat16:
            return gather_pixels<BFloat16>(copy);
    }
}

}  // namespace
}  // namespace mapkernels
