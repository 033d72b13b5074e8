#include <cstring>

#include "check.hpp"
#include "mapkernels/gather.hpp"

using mapkernels::PixelType;
using mapkernels::tests::check;
using mapkernels::tests::Fuzzer;

namespace {

/// Gathered on any number of threads, and as 16 bits, which are the upper half of these floats.
void any_shape_and_type() {
    Fuzzer fuzzer;
    for (int trial = 0; trial < 300; ++trial) {
        const std::size_t side = fuzzer.integer(1, trial % 20 == 0 ? 512 : 70);
        const std::size_t n_pixels = side * side;
        std::vector<std::uint16_t> bits(2 * n_pixels), halves(2 * n_pixels);
        std::vector<float> floats(bits.size()), out(bits.size()), threaded(bits.size());
        for (std::size_t p = 0; p < bits.size(); ++p) {
            bits[p] = static_cast<std::uint16_t>(fuzzer.integer(0, 0x7f00));
            const std::uint32_t wide = static_cast<std::uint32_t>(bits[p]) << 16;
            std::memcpy(&floats[p], &wide, sizeof wide);
        }
        const auto shift = static_cast<std::int64_t>(fuzzer.integer(0, 200)) - 100;
        mapkernels::Batch batch{{floats.data()},   side,  {1, 0}, {trial % 8, 7 - trial % 8},
                                {shift, -3, 0, 0}, {0.0}, {1.0}};
        mapkernels::gather(batch, 1, out.data());
        mapkernels::gather(batch, 3, threaded.data());
        check(std::memcmp(out.data(), threaded.data(), 4 * out.size()) == 0, "on three threads");
        batch.fields = {bits.data()};
        for (const PixelType type : {PixelType::float16, PixelType::bfloat16}) {
            batch.type = batch.out_type = type;
            mapkernels::gather(batch, 2, halves.data());
        }
        for (std::size_t p = 0; p < bits.size(); ++p) {
            const std::uint32_t wide = static_cast<std::uint32_t>(halves[p]) << 16;
            check(std::memcmp(&out[p], &wide, sizeof wide) == 0, "gathered 16 bits");
        }
    }
}

}  // namespace

int main() { mapkernels::tests::with_all_instructions(any_shape_and_type); }
