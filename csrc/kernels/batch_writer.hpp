#pragma once

#include <cstddef>
#include <cstdint>

#include "mapkernels/gather.hpp"
#include "scratch.hpp"
#include "simd/dispatch.hpp"

namespace mapkernels {

/// Backwards if `reversed`, then shifted back.
inline Trace trace(std::size_t side, bool reversed, std::int64_t shift) {
    const auto length = static_cast<std::int64_t>(side);
    const auto start = static_cast<std::size_t>((length - shift % length) % length);
    return {reversed ? (start + side - 1) % side : start, reversed};
}

/// np.rot90 by k quarter turns takes out (i, j) from (i, j), (j, -i), (-i, -j), (-j, i); flipping
/// axis 0 afterwards replaces i by -i, where -i stands for side - 1 - i.
inline void set_source(std::int64_t orientation, const std::int64_t* shift, MapCopy& copy) {
    const std::int64_t turns = orientation / 2;
    const bool flipped = orientation % 2 == 1;
    const bool reverse_rows = (turns == 1 || turns == 2) != flipped;
    const bool reverse_columns = turns >= 2;
    copy.transposed = turns % 2 == 1;
    copy.rows = trace(copy.side, reverse_rows, shift[copy.transposed ? 1 : 0]);
    copy.columns = trace(copy.side, reverse_columns, shift[copy.transposed ? 0 : 1]);
}

/// Writes maps to their places in a batch. Holds scratch memory, so each thread needs its own.
class BatchWriter {
public:
    BatchWriter(const Batch& batch, void* out)
        : batch_(batch),
          out_(static_cast<char*>(out)),
          n_pixels_(batch.side * batch.side),
          band_(aligned_floats(band_rows * batch.side)),
          kernels_(kernel_table()) {
        const std::size_t n_maps = batch.index.size() * batch.fields.size();
        copy_.side = batch.side;
        copy_.type = batch.type;
        copy_.out_type = batch.out_type;
        copy_.band = band_.get();
        copy_.streaming = n_maps * n_pixels_ * size_of(batch.out_type) >= streaming_bytes;
    }

    /// Writes channel c of map b: these pixels, turned, shifted and standardized. `next` is what
    /// will be read next, or null.
    void write(std::size_t b, std::size_t c, const void* pixels, const void* next) {
        set_source(batch_.orientation[b], batch_.shift.data() + 2 * b, copy_);
        copy_.map = pixels;
        copy_.next = next;
        copy_.mean = static_cast<float>(batch_.mean[c]);
        copy_.inverse_std = static_cast<float>(1.0 / batch_.std[c]);
        const std::size_t place = b * batch_.fields.size() + c;
        copy_.out = out_ + place * n_pixels_ * size_of(batch_.out_type);
        kernels_.gather(copy_);
    }

private:
    const Batch& batch_;
    char* out_;
    std::size_t n_pixels_;
    AlignedFloats band_;
    const KernelTable& kernels_;
    MapCopy copy_{};
};

}  // namespace mapkernels
