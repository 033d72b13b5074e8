#include <algorithm>
#include <cstring>
#include <limits>

#include "check.hpp"
#include "mapkernels/maps.hpp"

using mapkernels::tests::check;
using mapkernels::tests::Fuzzer;

// Values are tested from Python, against NumPy and SciPy. These are for the sanitizers: shapes and
// addresses of all kinds, and equal results for each way to them.

namespace {

void finds_the_first() {
    Fuzzer fuzzer;
    const float bad_values[] = {NAN, INFINITY, -INFINITY, -1.0F, -1e-45F, 0.0F, -0.0F};
    for (int trial = 0; trial < 500; ++trial) {
        const std::size_t n_maps = fuzzer.integer(1, 9), n_pixels = fuzzer.integer(1, 900);
        std::vector<float> maps = fuzzer.positive(n_maps * n_pixels);
        const std::size_t place = fuzzer.integer(0, maps.size() - 1);
        const float bad = bad_values[fuzzer.integer(0, 6)];
        maps[place] = bad;
        maps[fuzzer.integer(place, maps.size() - 1)] = bad;
        for (int n_threads = 1; n_threads < 5; ++n_threads) {
            check(
                mapkernels::find_invalid(maps.data(), n_maps, n_pixels, false, n_threads) == place,
                "first invalid pixel");
            check(mapkernels::find_invalid(maps.data(), n_maps, n_pixels, true, n_threads) ==
                      (bad == 0.0F ? mapkernels::none_invalid : place),
                  "first invalid pixel where zero is valid");
        }
    }
    check(mapkernels::find_invalid(nullptr, 0, 4, false, 2) == mapkernels::none_invalid, "no maps");
}

constexpr double max_ulp = 2.0;

double ulp_of(double value) {
    const auto rounded = static_cast<float>(std::abs(value));
    return static_cast<double>(std::nextafter(rounded, std::numeric_limits<float>::infinity())) -
           static_cast<double>(rounded);
}

void check_one(float x, float ours, double answer) {
    const double value = static_cast<double>(ours);
    check(std::isnan(answer)
              ? std::isnan(ours)
              : value == answer || std::abs(value - answer) <= max_ulp * ulp_of(answer),
          "logarithm of " + std::to_string(x) + ": " + std::to_string(ours));
}

/// Every bit pattern is a float: normal, denormal, infinite or NaN, of either sign.
void any_float() {
    Fuzzer fuzzer;
    for (std::size_t n = 0; n < 3000; n += 1 + n / 7) {
        std::vector<float> x(n), log10_of(n), log10p1_of(n);
        for (float& value : x) {
            const auto bits = static_cast<std::uint32_t>(fuzzer.integer(0, 0xffffffffU));
            std::memcpy(&value, &bits, sizeof value);
        }
        mapkernels::log10(x.data(), n, log10_of.data());
        mapkernels::log10p1(x.data(), n, log10p1_of.data());
        for (std::size_t i = 0; i < n; ++i) {
            const auto exact = static_cast<double>(x[i]);
            check_one(x[i], log10_of[i], std::log10(exact));
            check_one(x[i], log10p1_of[i], std::log1p(exact) / std::log(10.0));
        }
    }
}

/// In place, on other threads and in parts, results are the same; 19 maps, so that threads differ.
void any_shape() {
    Fuzzer fuzzer;
    for (int trial = 0; trial < 60; ++trial) {
        const std::size_t side = fuzzer.integer(1, trial % 20 == 0 ? 512 : 70);
        const std::size_t n_pixels = side * side, n_maps = trial % 20 == 0 ? 2 : 19;
        const double width = trial % 6 == 0 ? 0.0 : fuzzer.real(0.0, 20.0);
        const std::vector<float> maps = fuzzer.positive(n_maps * n_pixels);
        std::vector<float> out(maps.size()), in_place = maps;
        mapkernels::gaussian_smooth(maps.data(), n_maps, side, width, trial % 4 + 1, out.data());
        mapkernels::gaussian_smooth(in_place.data(), n_maps, side, width, 1, in_place.data());
        check(in_place == out, "smoothed in place, bit for bit");

        std::vector<double> rows(3 * n_maps), one(3 * n_maps);
        mapkernels::map_moments(maps.data(), n_maps, n_pixels, 3, rows.data());
        mapkernels::map_moments(maps.data(), n_maps, n_pixels, 1, one.data());
        check(rows == one, "moments on three threads, bit for bit");
        const auto all = mapkernels::combine_moments(rows.data(), n_maps);
        const auto whole = mapkernels::moments_of(maps.data(), maps.size());
        mapkernels::tests::check_close(all.m2, whole.m2, 1e-9, "M2 of all");
        mapkernels::remove_monopole(maps.data(), n_pixels, out.data());
    }
}

/// Maps in memory.
mapkernels::RawMaps in_memory(const float* maps, std::size_t side) {
    return {maps, side * side, std::nullopt};
}

void equals_the_separate_kernels() {
    Fuzzer fuzzer;
    for (int trial = 0; trial < 120; ++trial) {
        const std::size_t side = fuzzer.integer(1, trial % 20 == 0 ? 512 : 30);
        const std::size_t n_maps = fuzzer.integer(0, 5);
        const mapkernels::Preprocessing steps{trial % 3 == 0 ? 0.0 : fuzzer.real(0.0, 20.0),
                                              trial % 2 == 0, trial % 5 < 2};
        const std::vector<float> maps = fuzzer.positive(n_maps * side * side);
        std::vector<float> out(maps.size()), expected(maps.size());
        std::vector<double> moments(3 * n_maps), alone(3 * n_maps), expected_moments(3 * n_maps);
        const int n_threads = trial % 8 + 1;
        check(mapkernels::preprocess(in_memory(maps.data(), side), n_maps, side, steps, n_threads,
                                     out.data(), moments.data()) == mapkernels::none_invalid,
              "valid maps");

        mapkernels::gaussian_smooth(maps.data(), n_maps, side, steps.width, 1, expected.data());
        (steps.plus_one ? mapkernels::log10p1 : mapkernels::log10)(expected.data(), expected.size(),
                                                                   expected.data());
        for (std::size_t i = 0; i < n_maps && steps.remove_monopole; ++i)
            mapkernels::remove_monopole(expected.data() + i * side * side, side * side,
                                        expected.data() + i * side * side);
        mapkernels::map_moments(expected.data(), n_maps, side * side, 1, expected_moments.data());
        check(out == expected, "log maps, bit for bit");
        check(moments == expected_moments, "moments, bit for bit");

        mapkernels::preprocess(in_memory(maps.data(), side), n_maps, side, steps, n_threads,
                               nullptr, alone.data());
        check(alone == expected_moments, "moments without maps, bit for bit");
    }
}

/// Large results are written past the caches, at any address; map by map they are not.
void larger_than_the_caches() {
    Fuzzer fuzzer;
    const std::size_t side = 257, n_pixels = side * side, n_maps = 33, offset = 3;
    const mapkernels::Preprocessing steps{2.0, false, false};
    const std::vector<float> maps = fuzzer.positive(n_maps * n_pixels);
    std::vector<float> out(offset + maps.size()), smoothed(offset + maps.size()), one(n_pixels);
    std::vector<double> moments(3 * n_maps), row(3);
    mapkernels::preprocess(in_memory(maps.data(), side), n_maps, side, steps, 3,
                           out.data() + offset, moments.data());
    mapkernels::gaussian_smooth(maps.data(), n_maps, side, 2.0, 3, smoothed.data() + offset);
    for (std::size_t i = 0; i < n_maps; ++i) {
        const auto same = [&](const std::vector<float>& all) {
            return std::equal(one.begin(), one.end(),
                              all.begin() + static_cast<std::ptrdiff_t>(offset + i * n_pixels));
        };
        const float* const map = maps.data() + i * n_pixels;
        mapkernels::preprocess(in_memory(map, side), 1, side, steps, 1, one.data(), row.data());
        check(same(out), "a log map among many, bit for bit");
        check(std::equal(row.begin(), row.end(),
                         moments.begin() + static_cast<std::ptrdiff_t>(3 * i)),
              "its moments");
        mapkernels::gaussian_smooth(map, 1, side, 2.0, 1, one.data());
        check(same(smoothed), "a smoothed map among many, bit for bit");
    }
}

void reports_the_first_bad_pixel() {
    Fuzzer fuzzer;
    for (int trial = 0; trial < 100; ++trial) {
        const std::size_t side = fuzzer.integer(1, 12), n_maps = fuzzer.integer(1, 6);
        std::vector<float> maps = fuzzer.positive(n_maps * side * side);
        const std::size_t place = fuzzer.integer(0, maps.size() - 1);
        maps[place] = trial % 2 == 0 ? NAN : -1.0F;
        maps[fuzzer.integer(place, maps.size() - 1)] = INFINITY;
        std::vector<float> out(maps.size());
        std::vector<double> moments(3 * n_maps);
        check(
            mapkernels::preprocess(in_memory(maps.data(), side), n_maps, side, {1.0, false, false},
                                   trial % 4 + 1, out.data(), moments.data()) == place,
            "first bad pixel");
    }
}

/// What was written to a file, behind `before` bytes, is read as if it were in memory.
void reads_from_a_file() {
#ifndef _WIN32
    Fuzzer fuzzer;
    for (int trial = 0; trial < 30; ++trial) {
        const std::size_t side = fuzzer.integer(1, 70), n_maps = fuzzer.integer(1, 6);
        const std::size_t before = fuzzer.integer(0, 5000);
        const std::vector<float> maps = fuzzer.positive(n_maps * side * side);
        std::FILE* const file = std::tmpfile();
        check(file != nullptr, "a temporary file");
        const std::vector<char> header(before);
        std::fwrite(header.data(), 1, before, file);
        std::fwrite(maps.data(), sizeof(float), maps.size(), file);
        std::fflush(file);
        const mapkernels::FilePlace place{fileno(file), static_cast<std::int64_t>(before)};
        const mapkernels::RawMaps in_file{nullptr, side * side, place};
        const mapkernels::Preprocessing steps{trial % 2 == 0 ? 0.0 : 1.5, false, trial % 3 == 0};
        const int n_threads = trial % 3 + 1;
        std::vector<float> out(maps.size()), expected(maps.size());
        std::vector<double> moments(3 * n_maps), expected_moments(3 * n_maps);
        mapkernels::preprocess(in_memory(maps.data(), side), n_maps, side, steps, 1,
                               expected.data(), expected_moments.data());
        mapkernels::preprocess(in_file, n_maps, side, steps, n_threads, out.data(), moments.data());
        check(out == expected, "log maps of a file, bit for bit");
        check(moments == expected_moments, "their moments, bit for bit");

        bool refused = false;
        try {
            out.resize(maps.size() + side * side);
            moments.resize(3 * n_maps + 3);
            mapkernels::preprocess(in_file, n_maps + 1, side, steps, n_threads, out.data(),
                                   moments.data());
        } catch (const mapkernels::FileError&) {
            refused = true;
        }
        check(refused, "the end of the file");
        std::fclose(file);
    }
#endif
}

}  // namespace

int main() {
    mapkernels::tests::with_all_instructions(finds_the_first, any_float, any_shape,
                                             equals_the_separate_kernels, larger_than_the_caches,
                                             reports_the_first_bad_pixel, reads_from_a_file);
}
