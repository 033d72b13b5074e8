#include "mapkernels/gather.hpp"

#include "loops/in_use.hpp"
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

/// Copies of one batch. Holds scratch memory, so each thread needs its own.
class Gatherer {
public:
    Gatherer(const Batch& batch, void* out)
        : batch_(batch),
          out_(static_cast<char*>(out)),
          n_pixels_(batch.side * batch.side),
          band_(aligned_floats(band_rows * batch.side)),
          loops_(loops_in_use()) {
        const std::size_t n_maps = batch.index.size() * batch.fields.size();
        copy_.side = batch.side;
        copy_.type = batch.type;
        copy_.out_type = batch.out_type;
        copy_.band = band_.get();
        copy_.streaming = n_maps * n_pixels_ * size_of(batch.out_type) >= streaming_bytes;
    }

    /// Channels b C .. e C - 1 of the batch, one after another.
    void run(std::size_t begin, std::size_t end) {
        const std::size_t n_channels = batch_.fields.size();
        for (std::size_t i = begin * n_channels; i < end * n_channels; ++i) {
            const std::size_t b = i / n_channels, c = i % n_channels;
            set_source(batch_.orientation[b], batch_.shift.data() + 2 * b, copy_);
            copy_.map = map_of(i);
            copy_.next = i + 1 < end * n_channels ? map_of(i + 1) : nullptr;
            copy_.mean = static_cast<float>(batch_.mean[c]);
            copy_.inverse_std = static_cast<float>(1.0 / batch_.std[c]);
            copy_.out = out_ + i * n_pixels_ * size_of(batch_.out_type);
            loops_.gather(copy_);
        }
    }

private:
    /// Of channel i % C of map i / C of the batch.
    [[nodiscard]] const void* map_of(std::size_t i) const {
        const std::size_t n_channels = batch_.fields.size();
        const auto index = static_cast<std::size_t>(batch_.index[i / n_channels]);
        return static_cast<const char*>(batch_.fields[i % n_channels]) +
               index * n_pixels_ * size_of(batch_.type);
    }

    const Batch& batch_;
    char* out_;
    std::size_t n_pixels_;
    AlignedFloats band_;
    const Loops& loops_;
    MapCopy copy_{};
};

}  // namespace

void gather(const Batch& batch, int n_threads, void* out) {
    if (batch.fields.empty()) return;
    for_each_block(batch.index.size(), n_threads, [&](std::size_t begin, std::size_t end) {
        Gatherer(batch, out).run(begin, end);
    });
}

}  // namespace mapkernels
