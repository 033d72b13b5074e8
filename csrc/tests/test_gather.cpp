#include <cstring>

#include "check.hpp"
#include "mapkernels/gather.hpp"

using mapkernels::PixelType;
using mapkernels::tests::check;
using mapkernels::tests::Fuzzer;

namespace {

using Map = std::vector<float>;

Map rolled(const Map& map, std::int64_t side, std::int64_t down, std::int64_t right) {
    Map out(map.size());
    for (std::int64_t i = 0; i < side; ++i)
        for (std::int64_t j = 0; j < side; ++j) {
            const std::int64_t row = ((i + down) % side + side) % side;
            const std::int64_t column = ((j + right) % side + side) % side;
            out[static_cast<std::size_t>(row * side + column)] =
                map[static_cast<std::size_t>(i * side + j)];
        }
    return out;
}

/// A quarter turn as np.rot90: the last column becomes the first row.
Map turned(const Map& map, std::size_t side) {
    Map out(map.size());
    for (std::size_t i = 0; i < side; ++i)
        for (std::size_t j = 0; j < side; ++j) out[i * side + j] = map[j * side + side - 1 - i];
    return out;
}

Map flipped(const Map& map, std::size_t side) {
    Map out(map.size());
    for (std::size_t i = 0; i < side; ++i)
        for (std::size_t j = 0; j < side; ++j) out[i * side + j] = map[(side - 1 - i) * side + j];
    return out;
}

void equals_the_definition() {
    Fuzzer fuzzer;
    for (int trial = 0; trial < 300; ++trial) {
        const std::size_t side = fuzzer.integer(1, trial % 20 == 0 ? 512 : 40);
        const std::size_t n_pixels = side * side;
        const std::vector<float> first = fuzzer.positive(3 * n_pixels);
        const std::vector<float> second = fuzzer.positive(2 * n_pixels);
        const std::vector<std::int64_t> index = {static_cast<std::int64_t>(fuzzer.integer(0, 1))};
        const std::vector<std::int64_t> orientation = {trial % 8};
        const std::vector<std::int64_t> shift = {
            static_cast<std::int64_t>(fuzzer.integer(0, 200)) - 100,
            static_cast<std::int64_t>(fuzzer.integer(0, 200)) - 100};
        const std::vector<double> mean = {1e10, 3.0}, std = {2e9, 0.7};
        std::vector<float> out(2 * n_pixels);
        mapkernels::gather(
            {{first.data(), second.data()}, side, index, orientation, shift, mean, std},
            trial % 3 + 1, out.data());
        for (std::size_t c = 0; c < 2; ++c) {
            const float* const from =
                (c == 0 ? first : second).data() + static_cast<std::size_t>(index[0]) * n_pixels;
            Map map = rolled(Map(from, from + n_pixels), static_cast<std::int64_t>(side), shift[0],
                             shift[1]);
            for (int turn = 0; turn < trial % 8 / 2; ++turn) map = turned(map, side);
            if (trial % 2 == 1) map = flipped(map, side);
            for (std::size_t p = 0; p < n_pixels; ++p)
                check(out[c * n_pixels + p] ==
                          (map[p] - static_cast<float>(mean[c])) * static_cast<float>(1.0 / std[c]),
                      "gathered pixel");
        }
    }
}

/// bfloat16 is the upper half of a float: gathered as it is, it must arrive as the floats do.
void sixteen_bits() {
    Fuzzer fuzzer;
    for (int trial = 0; trial < 100; ++trial) {
        const std::size_t side = fuzzer.integer(1, trial % 20 == 0 ? 512 : 70),
                          n_pixels = side * side;
        std::vector<std::uint16_t> bits(n_pixels), out(n_pixels);
        std::vector<float> floats(n_pixels), expected(n_pixels);
        for (std::size_t p = 0; p < n_pixels; ++p) {
            bits[p] = static_cast<std::uint16_t>(fuzzer.integer(0, 0x7f00));
            const std::uint32_t wide = static_cast<std::uint32_t>(bits[p]) << 16;
            std::memcpy(&floats[p], &wide, sizeof wide);
        }
        const auto shift = static_cast<std::int64_t>(fuzzer.integer(0, side));
        const mapkernels::Batch batch{{floats.data()}, side,  {0},  {trial % 8},
                                      {shift, -3},     {0.0}, {1.0}};
        mapkernels::gather(batch, 1, expected.data());
        for (const PixelType type : {PixelType::bfloat16, PixelType::float16}) {
            mapkernels::Batch halves = batch;
            halves.fields = {bits.data()};
            halves.type = halves.out_type = type;
            mapkernels::gather(halves, 1, out.data());
            for (std::size_t p = 0; p < n_pixels && type == PixelType::bfloat16; ++p) {
                const std::uint32_t wide = static_cast<std::uint32_t>(out[p]) << 16;
                check(std::memcmp(&expected[p], &wide, sizeof wide) == 0, "gathered 16 bits");
            }
        }
    }
}

}  // namespace

int main() { mapkernels::tests::with_all_instructions(equals_the_definition, sixteen_bits); }
