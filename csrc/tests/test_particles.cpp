#include <limits>

#include "check.hpp"
#include "mapkernels/particles.hpp"

using mapkernels::tests::check;
using mapkernels::tests::check_close;
using mapkernels::tests::Fuzzer;

namespace {

constexpr double tolerance = 1e-6, mesh_tolerance = 1e-5;

/// Displacements to where an index can leave the box: just below 0, and just below 1.
const float edges[] = {-0.5F,
                       std::nextafter(-0.5F, -1.0F),
                       std::nextafter(-0.5F, 0.0F),
                       std::nextafter(0.5F, 0.0F),
                       0.5F,
                       999.5F,
                       -999.5F};

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

void edges_of_the_box() {
    for (const float edge : edges) {
        const std::vector<float> displacement(3, edge);
        for (std::size_t side = 1; side < 8; ++side) {
            const Slabs slabs = deposit(displacement, 1, 1, side, 1);
            double total = 0.0;
            for (const float mass : slabs.mass) total += static_cast<double>(mass);
            check_close(total, 15.0 * static_cast<double>(side * side), tolerance, "mass at edge");
        }
    }
}

std::vector<float> displaced(Fuzzer& fuzzer, std::size_t n, double scale) {
    std::vector<float> displacement(3 * n * n * n);
    for (float& value : displacement) value = static_cast<float>(fuzzer.real(-scale, scale));
    return displacement;
}

/// Displacements far beyond the box, so that every wrap is taken.
void mesh_mass_is_conserved() {
    Fuzzer fuzzer;
    for (int trial = 0; trial < 300; ++trial) {
        const std::size_t n = fuzzer.integer(1, 6), side = fuzzer.integer(1, 9);
        const double scale = trial % 3 == 0 ? 1000.0 : fuzzer.real(0.0, 1.0);
        std::vector<float> density(side * side * side);
        mapkernels::deposit_mesh(displaced(fuzzer, n, scale).data(), n, side, density.data());
        double total = 0.0;
        for (const float value : density) total += static_cast<double>(value);
        check_close(total / static_cast<double>(density.size()), 1.0, mesh_tolerance,
                    "mean density");
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

void edges_of_the_mesh() {
    for (const float edge : edges) {
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
    edges_of_the_box();
    mesh_mass_is_conserved();
    constant_potential();
    edges_of_the_mesh();
    unbounded_displacement();
}
