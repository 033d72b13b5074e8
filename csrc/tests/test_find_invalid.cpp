#include "check.hpp"
#include "mapkernels/find_invalid.hpp"

using mapkernels::tests::check;
using mapkernels::tests::Fuzzer;

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

}  // namespace

int main() { mapkernels::tests::with_all_instructions(finds_the_first); }
