#include "mapkernels/gather.hpp"

#include <algorithm>

#include "mapkernels/parallel.hpp"

namespace mapkernels {

namespace {

/// Where the pixels of an oriented, shifted map come from.
///
/// Out pixel (i, j) is source pixel (along_rows[i], along_columns[j]); if `transposed`, source
/// pixel (along_columns[j], along_rows[i]).
struct Source {
    bool transposed;
    std::vector<std::size_t> along_rows;
    std::vector<std::size_t> along_columns;
};

/// Source coordinates for out coordinates 0..side-1: backwards if `reversed`, then shifted back.
std::vector<std::size_t> trace(std::size_t side, bool reversed, std::int64_t shift) {
    const auto length = static_cast<std::int64_t>(side);
    const auto start = static_cast<std::size_t>((length - shift % length) % length);
    std::vector<std::size_t> source(side);
    for (std::size_t i = 0; i < side; ++i)
        source[i] = ((reversed ? side - 1 - i : i) + start) % side;
    return source;
}

/// np.rot90 by k quarter turns takes out (i, j) from (i, j), (j, -i), (-i, -j), (-j, i); flipping
/// axis 0 afterwards replaces i by -i, where -i stands for side - 1 - i.
Source source_of(std::size_t side, std::int64_t orientation, const std::int64_t* shift) {
    const std::int64_t turns = orientation / 2;
    const bool flipped = orientation % 2 == 1;
    const bool transposed = turns % 2 == 1;
    const bool reverse_rows = (turns == 1 || turns == 2) != flipped;
    const bool reverse_columns = turns >= 2;
    return {transposed, trace(side, reverse_rows, shift[transposed ? 1 : 0]),
            trace(side, reverse_columns, shift[transposed ? 0 : 1])};
}

struct Standardization {
    float mean;
    float inverse_std;

    float operator()(float x) const noexcept { return (x - mean) * inverse_std; }
};

/// One row whose source is a row: two runs, split where the source wraps, forwards or backwards.
void copy_row(const float* source, const std::vector<std::size_t>& columns,
              const Standardization& standardize, float* __restrict out) noexcept {
    const std::size_t side = columns.size();
    const bool backwards = side > 1 && columns[1] == (columns[0] + side - 1) % side;
    const std::size_t n_first = backwards ? columns[0] + 1 : side - columns[0];
    for (std::size_t run = 0; run < 2; ++run) {
        const std::size_t begin = run == 0 ? 0 : n_first;
        const std::size_t end = run == 0 ? n_first : side;
        if (begin == end) continue;
        const float* const from = source + columns[begin];
        const std::size_t n = end - begin;
        if (backwards) {
            const float* const last = from - (n - 1);
            for (std::size_t j = 0; j < n; ++j) out[begin + j] = standardize(last[n - 1 - j]);
        } else {
            for (std::size_t j = 0; j < n; ++j) out[begin + j] = standardize(from[j]);
        }
    }
}

/// Rows become columns. Tiles of 16 x 16 pixels: a cache line of the source is used whole while it
/// is in L1, where a plain double loop over 256 pixels would fetch it 16 times.
void copy_transposed(const float* map, const Source& source, const Standardization& standardize,
                     float* __restrict out) noexcept {
    constexpr std::size_t tile = 16;
    const std::size_t side = source.along_rows.size();
    for (std::size_t row = 0; row < side; row += tile) {
        const std::size_t row_end = std::min(row + tile, side);
        for (std::size_t column = 0; column < side; column += tile) {
            const std::size_t column_end = std::min(column + tile, side);
            for (std::size_t i = row; i < row_end; ++i) {
                const float* const from = map + source.along_rows[i];
                for (std::size_t j = column; j < column_end; ++j)
                    out[i * side + j] = standardize(from[source.along_columns[j] * side]);
            }
        }
    }
}

void copy_map(const float* map, const Source& source, const Standardization& standardize,
              float* out) noexcept {
    if (source.transposed) {
        copy_transposed(map, source, standardize, out);
        return;
    }
    const std::size_t side = source.along_rows.size();
    for (std::size_t i = 0; i < side; ++i)
        copy_row(map + source.along_rows[i] * side, source.along_columns, standardize,
                 out + i * side);
}

}  // namespace

void gather(const Batch& batch, int n_threads, float* out) {
    const std::size_t n_channels = batch.fields.size();
    const std::size_t n_pixels = batch.side * batch.side;
    for_each_map(batch.index.size(), n_threads, [&](std::size_t b) {
        const Source source =
            source_of(batch.side, batch.orientation[b], batch.shift.data() + 2 * b);
        const auto index = static_cast<std::size_t>(batch.index[b]);
        for (std::size_t c = 0; c < n_channels; ++c) {
            const Standardization standardize{static_cast<float>(batch.mean[c]),
                                              static_cast<float>(1.0 / batch.std[c])};
            copy_map(batch.fields[c] + index * n_pixels, source, standardize,
                     out + (b * n_channels + c) * n_pixels);
        }
    });
}

}  // namespace mapkernels
