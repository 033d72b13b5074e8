#include <limits>

#include "check.hpp"
#include "mapkernels/deposit_slabs.hpp"
#include "mapkernels/particle_mesh.hpp"

using mapkernels::tests::check;
using mapkernels::tests::check_close;
using mapkernels::tests::Fuzzer;

namespace {

constexpr double tolerance = 1e-5;

std::vector<float> displaced(Fuzzer& fuzzer, std::size_t n, double scale) {
    std::vector<float> displacement(3 * n * n * n);
    for (float& value : displacement) value = static_cast<float>(fuzzer.real(-scale, scale));
    return displacement;
}

/// Displacements far beyond the box, so that every wrap is taken.
void mass_is_conserved() {
    Fuzzer fuzzer;
    for (int trial = 0; trial < 300; ++trial) {
        const std::size_t n = fuzzer.integer(1, 6), side = fuzzer.integer(1, 9);
        const double scale = trial % 3 == 0 ? 1000.0 : fuzzer.real(0.0, 1.0);
        std::vector<float> density(side * side * side);
        mapkernels::deposit_mesh(displaced(fuzzer, n, scale).data(), n, side, density.data());
        double total = 0.0;
        for (const float value : density) total += static_cast<double>(value);
        check_close(total / static_cast<double>(density.size()), 1.0, tolerance, "mean density");
    }
}

/// A constant potential exerts no force; the reads at every wrapped edge are in bounds.
void constant_potential() {
    Fuzzer fuzzer;
    for (int trial = 0; trial < 300; ++trial) {
        const std::size_t n = fuzzer.integer(1, 6), side = fuzzer.integer(1, 9);
        const std::vector<float> potential(side * side * side, 3.0F);
        std::vector<float> acceleration(3 * n * n * n, 1.0F);
        mapkernels::accelerate(displaced(fuzzer, n, 1000.0).data(), n, potential.data(), side,
                               acceleration.data());
        for (const float value : acceleration) check(value == 0.0F, "no force");
    }
}

/// What another thread may write behind the checks: such a particle stays where it started.
void unbounded_displacement() {
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(),
                            std::numeric_limits<float>::infinity(), -1e30F, 1001.0F}) {
        const std::vector<float> displacement(3, bad), still(3, 0.0F);
        std::vector<float> density(27), expected(27), acceleration(3);
        mapkernels::deposit_mesh(displacement.data(), 1, 3, density.data());
        mapkernels::deposit_mesh(still.data(), 1, 3, expected.data());
        check(density == expected, "a particle without a place stays");
        mapkernels::accelerate(displacement.data(), 1, density.data(), 3, acceleration.data());
        for (const float value : acceleration) check(std::isfinite(value), "and feels a force");
    }
}

/// The edges of the box are where an index can leave the mesh: just below 0, and just below 1.
void edges_of_the_box() {
    for (const float edge : {-0.5F, std::nextafter(-0.5F, -1.0F), std::nextafter(-0.5F, 0.0F),
                             std::nextafter(0.5F, 0.0F), 0.5F, 999.5F, -999.5F}) {
        const std::vector<float> displacement(3, edge);
        for (std::size_t side = 1; side < 8; ++side) {
            std::vector<float> density(side * side * side), acceleration(3);
            mapkernels::deposit_mesh(displacement.data(), 1, side, density.data());
            mapkernels::accelerate(displacement.data(), 1, density.data(), side,
                                   acceleration.data());
            for (const float value : acceleration)
                check(std::abs(value) < 1e-2F * std::pow(static_cast<float>(side), 4.0F),
                      "a particle does not push itself");
        }
    }
}

}  // namespace

int main() {
    mass_is_conserved();
    constant_potential();
    edges_of_the_box();
    unbounded_displacement();
}
