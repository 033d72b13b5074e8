#include "check.hpp"
#include "mapkernels/moments.hpp"
#include "mapkernels/remove_monopole.hpp"

using mapkernels::tests::check;
using mapkernels::tests::check_close;
using mapkernels::tests::Fuzzer;

namespace {

constexpr double tolerance = 1e-9;

void equals_long_double() {
    Fuzzer fuzzer;
    for (int trial = 0; trial < 50; ++trial) {
        const std::size_t n = fuzzer.integer(1, 2000);
        const std::vector<float> x = fuzzer.positive(n);
        long double mean = 0.0L;
        for (const float value : x) mean += value;
        mean /= static_cast<long double>(n);
        long double m2 = 0.0L;
        for (const float value : x) m2 += (value - mean) * (value - mean);

        const auto moments = mapkernels::moments_of(x.data(), n);
        check(moments.count == static_cast<double>(n), "count");
        check_close(moments.mean, static_cast<double>(mean), tolerance, "mean");
        check_close(moments.m2, static_cast<double>(m2), tolerance, "M2");

        std::vector<float> out(n);
        mapkernels::remove_monopole(x.data(), n, out.data());
        for (std::size_t i = 0; i < n; ++i)
            check(out[i] == static_cast<float>(static_cast<double>(x[i]) - moments.mean),
                  "pixel less the mean");
    }
}

void parts_combine_to_the_whole() {
    Fuzzer fuzzer;
    const std::size_t n_maps = 7, n_pixels = 90;
    const std::vector<float> maps = fuzzer.positive(n_maps * n_pixels);
    std::vector<double> rows(3 * n_maps);
    mapkernels::map_moments(maps.data(), n_maps, n_pixels, 3, rows.data());
    const auto all = mapkernels::combine_moments(rows.data(), n_maps);
    const auto whole = mapkernels::moments_of(maps.data(), maps.size());
    check(all.count == whole.count, "count of all");
    check_close(all.mean, whole.mean, tolerance, "mean of all");
    check_close(all.m2, whole.m2, tolerance, "M2 of all");
    check(mapkernels::combine_moments(nullptr, 0).count == 0.0, "no sets");
}

}  // namespace

int main() {
    mapkernels::tests::with_all_instructions(equals_long_double, parts_combine_to_the_whole);
}
