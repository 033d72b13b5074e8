#include "check.hpp"
#include "mapkernels/gaussian_smooth.hpp"

using mapkernels::tests::check;
using mapkernels::tests::check_close;
using mapkernels::tests::Fuzzer;

namespace {

constexpr double tolerance = 2e-6;  // the contract; measured 4e-7

/// scipy's kernel, applied along one axis by its definition.
std::vector<double> smooth_axis(const std::vector<double>& map, std::size_t side, double width,
                                bool rows) {
    const auto radius = static_cast<std::int64_t>(std::floor(4.0 * width + 0.5));
    const auto length = static_cast<std::int64_t>(side);
    std::vector<double> weights;
    double total = 0.0;
    for (std::int64_t k = -radius; k <= radius; ++k) {
        const double scaled = k == 0 ? 0.0 : static_cast<double>(k) / width;
        weights.push_back(std::exp(-0.5 * scaled * scaled));
        total += weights.back();
    }
    std::vector<double> out(map.size(), 0.0);
    for (std::int64_t y = 0; y < length; ++y)
        for (std::int64_t x = 0; x < length; ++x) {
            double sum = 0.0;
            for (std::int64_t k = -radius; k <= radius; ++k) {
                const std::int64_t from = (((rows ? y : x) + k) % length + length) % length;
                const std::int64_t pixel = rows ? from * length + x : y * length + from;
                sum += weights[static_cast<std::size_t>(k + radius)] *
                       map[static_cast<std::size_t>(pixel)];
            }
            out[static_cast<std::size_t>(y * length + x)] = sum / total;
        }
    return out;
}

void check_shape(Fuzzer& fuzzer, std::size_t side, std::size_t n_maps, double width,
                 int n_threads) {
    const std::vector<float> maps = fuzzer.positive(n_maps * side * side);
    std::vector<float> out(maps.size());
    mapkernels::gaussian_smooth(maps.data(), n_maps, side, width, n_threads, out.data());
    for (std::size_t i = 0; i < n_maps; ++i) {
        const auto begin = maps.begin() + static_cast<std::ptrdiff_t>(i * side * side);
        const std::vector<double> map(begin, begin + static_cast<std::ptrdiff_t>(side * side));
        const auto answer = smooth_axis(smooth_axis(map, side, width, true), side, width, false);
        for (std::size_t p = 0; p < answer.size(); ++p)
            check_close(out[i * side * side + p], answer[p], tolerance, "smoothed pixel");
    }
    std::vector<float> in_place = maps;
    mapkernels::gaussian_smooth(in_place.data(), n_maps, side, width, 1, in_place.data());
    check(in_place == out, "in place, on one thread, bit for bit");
}

void equals_the_definition() {
    Fuzzer fuzzer;
    for (int trial = 0; trial < 60; ++trial) {
        const double width = trial % 6 == 0 ? 0.0 : fuzzer.real(0.0, 8.0);
        check_shape(fuzzer, fuzzer.integer(1, 23), fuzzer.integer(0, 3), width, trial % 4 + 1);
    }
}

void large_maps() {
    Fuzzer fuzzer;
    for (const std::size_t side : {16U, 17U, 31U, 64U, 100U, 255U, 256U, 512U})
        check_shape(fuzzer, side, side < 200 ? 9 : 1, fuzzer.real(0.0, 20.0),
                    static_cast<int>(fuzzer.integer(1, 8)));
    for (int trial = 0; trial < 20; ++trial)
        check_shape(fuzzer, fuzzer.integer(16, 90), fuzzer.integer(1, 9), fuzzer.real(0.0, 20.0),
                    static_cast<int>(fuzzer.integer(1, 8)));
}

void widest_kernel() {
    const std::vector<float> weights =
        mapkernels::gaussian_weights(5, mapkernels::max_smoothing_width);
    check(weights.size() == 3, "a kernel wider than the map is wrapped onto it");
    for (const float weight : weights) check_close(weight, 0.2, tolerance, "weight");
}

}  // namespace

int main() {
    mapkernels::tests::with_all_instructions(equals_the_definition, large_maps, widest_kernel);
}
