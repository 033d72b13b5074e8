#include "mapkernels/gather.hpp"

#include "loops/hot_loops.hpp"
#include "mapkernels/parallel.hpp"
#include "scratch.hpp"

namespace mapkernels {

namespace {

/// Backwards if `reversed`, then shifted back.
Trace trace(std::size_t side, bool reversed, std::int64_t shift) {
    const auto length = static_cast<std::int64_t>(side);
    const auto start = static_cast<std::size_t>((length - shift % length) % length);
    return {reversed ? (start + side - 1) % side : start, reversed};
}

/// np.rot90 by k quarter turns takes out (i, j) from (i, j), (j, -i), (-i, -j), (-j, i); flipping
/// axis 0 afterwards replaces i by -i, where -i stands for side - 1 - i.
void set_source(std::int64_t orientation, const std::int64_t* shift, MapCopy& copy) {
    const std::int64_t turns = orientation / 2;
    const bool flipped = orientation % 2 == 1;
    const bool reverse_rows = (turns == 1 || turns == 2) != flipped;
    const bool reverse_columns = turns >= 2;
    copy.transposed = turns % 2 == 1;
    copy.rows = trace(copy.side, reverse_rows, shift[copy.transposed ? 1 : 0]);
    copy.columns = trace(copy.side, reverse_columns, shift[copy.transposed ? 0 : 1]);
}

/// Channel i % C of map i / C of a batch.
const void* pixels_of(const Batch& batch, std::size_t i) {
    const std::size_t n_channels = batch.fields.size();
    const auto index = static_cast<std::size_t>(batch.index[i / n_channels]);
    return static_cast<const char*>(batch.fields[i % n_channels]) +
           index * batch.side * batch.side * size_of(batch.type);
}

}  // namespace

void gather(const Batch& batch, int n_threads, void* out) {
    const HotLoops& loops = hot_loops();
    const std::size_t n_channels = batch.fields.size(), n_maps = batch.index.size();
    const std::size_t n_bytes = batch.side * batch.side * size_of(batch.out_type);
    for_each_block(n_maps, n_threads, [&](std::size_t begin, std::size_t end) {
        const AlignedFloats band = aligned_floats(band_rows * batch.side);
        MapCopy copy{};
        copy.side = batch.side;
        copy.type = batch.type;
        copy.out_type = batch.out_type;
        copy.band = band.get();
        copy.streaming = n_maps * n_channels * n_bytes >= streaming_bytes;
        for (std::size_t i = begin * n_channels; i < end * n_channels; ++i) {
            const std::size_t b = i / n_channels, c = i % n_channels;
            set_source(batch.orientation[b], batch.shift.data() + 2 * b, copy);
            copy.map = pixels_of(batch, i);
            copy.next = i + 1 == end * n_channels ? nullptr : pixels_of(batch, i + 1);
            copy.mean = static_cast<float>(batch.mean[c]);
            copy.inverse_std = static_cast<float>(1.0 / batch.std[c]);
            copy.out = static_cast<char*>(out) + i * n_bytes;
            loops.gather(copy);
        }
    });
}

}  // namespace mapkernels
