#include "check.hpp"
#include "mapkernels/deposit_slabs.hpp"

using mapkernels::tests::check;
using mapkernels::tests::check_close;
using mapkernels::tests::Fuzzer;

namespace {

constexpr double tolerance = 1e-6;

struct Slabs {
    std::vector<float> mass;
    std::vector<float> speed;
};

Slabs deposit(const std::vector<float>& displacement, std::size_t n, std::size_t refine,
              std::size_t side, int n_threads) {
    Slabs slabs{std::vector<float>(15 * side * side), std::vector<float>(15 * side * side)};
    const std::vector<float> speed(n * n * n, 2.0F);
    mapkernels::deposit_slabs(displacement.data(), speed.data(), n, refine, side, n_threads,
                              slabs.mass.data(), slabs.speed.data());
    return slabs;
}

/// Displacements far beyond the box, so that every wrap is taken.
void mass_is_conserved() {
    Fuzzer fuzzer;
    for (int trial = 0; trial < 200; ++trial) {
        const std::size_t n = fuzzer.integer(1, 6), refine = fuzzer.integer(1, 3);
        const std::size_t side = fuzzer.integer(1, 9);
        const double scale = trial % 3 == 0 ? 1000.0 : fuzzer.real(0.0, 1.0);
        std::vector<float> displacement(3 * n * n * n);
        for (float& value : displacement) value = static_cast<float>(fuzzer.real(-scale, scale));
        const Slabs slabs = deposit(displacement, n, refine, side, 1);
        for (std::size_t axis = 0; axis < 3; ++axis) {
            double total = 0.0;
            for (std::size_t p = 0; p < 5 * side * side; ++p)
                total += static_cast<double>(slabs.mass[axis * 5 * side * side + p]);
            check_close(total / static_cast<double>(5 * side * side), 1.0, tolerance, "mean mass");
        }
        const Slabs threaded = deposit(displacement, n, refine, side, 3);
        check(threaded.mass == slabs.mass && threaded.speed == slabs.speed,
              "three threads, bit for bit");
    }
}

/// The edges of the box are where an index can leave the map: just below 0, and just below 1.
void edges_of_the_box() {
    for (const float edge : {-0.5F, std::nextafter(-0.5F, -1.0F), std::nextafter(-0.5F, 0.0F),
                             std::nextafter(0.5F, 0.0F), 0.5F, 999.5F, -999.5F}) {
        const std::vector<float> displacement(3, edge);
        for (std::size_t side = 1; side < 8; ++side) {
            const Slabs slabs = deposit(displacement, 1, 1, side, 1);
            double total = 0.0;
            for (const float mass : slabs.mass) total += static_cast<double>(mass);
            check_close(total, 15.0 * static_cast<double>(side * side), tolerance, "mass at edge");
        }
    }
}

}  // namespace

int main() {
    mass_is_conserved();
    edges_of_the_box();
}
