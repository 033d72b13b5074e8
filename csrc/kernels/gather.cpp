#include "mapkernels/gather.hpp"

#include <deque>

#include "batch_writer.hpp"
#include "map_preprocessor.hpp"
#include "mapkernels/find_invalid.hpp"
#include "mapkernels/parallel.hpp"
#include "scratch.hpp"

namespace mapkernels {

namespace {

/// Channel i % C of map i / C of a batch.
const void* pixels_of(const Batch& batch, std::size_t i) {
    const std::size_t n_channels = batch.fields.size();
    const auto index = static_cast<std::size_t>(batch.index[i / n_channels]);
    return static_cast<const char*>(batch.fields[i % n_channels]) +
           index * batch.side * batch.side * size_of(batch.type);
}

/// Makes the log maps of a batch, one after another. Holds scratch memory.
class LogMapMaker {
public:
    LogMapMaker(const std::vector<RawChannel>& raw, std::size_t side)
        : raw_(raw), read_(aligned_floats(side * side)), log_map_(aligned_floats(side * side)) {
        for (const auto& channel : raw) preprocessors_.emplace_back(side, channel.steps, false);
    }

    /// The log map of a raw one; returns its first invalid pixel, or n_pixels.
    std::size_t make(std::size_t c, std::size_t index) {
        double moments[3];
        const float* const map = raw_[c].maps.map(index, read_.get());
        return preprocessors_[c].run(map, log_map_.get(), moments);
    }

    [[nodiscard]] const float* log_map() const { return log_map_.get(); }

private:
    const std::vector<RawChannel>& raw_;
    std::deque<MapPreprocessor> preprocessors_;  ///< which stay where they are made
    AlignedFloats read_;
    AlignedFloats log_map_;
};

}  // namespace

void gather(const Batch& batch, int n_threads, void* out) {
    const std::size_t n_channels = batch.fields.size();
    for_each_block(batch.index.size(), n_threads, [&](std::size_t begin, std::size_t end) {
        BatchWriter writer(batch, out);
        for (std::size_t i = begin * n_channels; i < end * n_channels; ++i) {
            const bool is_last = i + 1 == end * n_channels;
            writer.write(i / n_channels, i % n_channels, pixels_of(batch, i),
                         is_last ? nullptr : pixels_of(batch, i + 1));
        }
    });
}

std::size_t gather_raw(const Batch& batch, const std::vector<RawChannel>& raw, int n_threads,
                       void* out) {
    const std::size_t n_channels = raw.size(), n_pixels = batch.side * batch.side;
    FirstIndex first;
    for_each_block(batch.index.size(), n_threads, [&](std::size_t begin, std::size_t end) {
        BatchWriter writer(batch, out);
        LogMapMaker maker(raw, batch.side);
        for (std::size_t i = begin * n_channels; i < end * n_channels; ++i) {
            const std::size_t b = i / n_channels, c = i % n_channels;
            const auto index = static_cast<std::size_t>(batch.index[b]);
            const std::size_t invalid = maker.make(c, index);
            if (invalid < n_pixels) {
                first.report(i * n_pixels + invalid);
                return;
            }
            writer.write(b, c, maker.log_map(), nullptr);
        }
    });
    return first.get();
}

}  // namespace mapkernels
