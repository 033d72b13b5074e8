#include <limits>

#include "check.hpp"
#include "mapkernels/particles.hpp"

using mapkernels::tests::check;
using mapkernels::tests::check_close;
using mapkernels::tests::Fuzzer;

namespace {

using Floats = std::vector<float>;

void check_mean(const Floats& values, double tolerance) {
    double total = 0.0;
    for (const float value : values) total += static_cast<double>(value);
    check_close(total / static_cast<double>(values.size()), 1.0, tolerance, "mean mass");
}

/// Mass is conserved, threads agree, and a constant potential exerts no force.
void check_lattice(const Floats& displacement, std::size_t n, std::size_t refine,
                   std::size_t side) {
    const Floats speed(n * n * n, 2.0F), potential(side * side * side, 3.0F);
    const std::size_t n_slabs = 1 + side;
    Floats mass(3 * n_slabs * side * side), threaded(mass.size()), mean_speed(mass.size());
    mapkernels::deposit_slabs(displacement.data(), speed.data(), n, refine, n_slabs, side, 1,
                              mass.data(), mean_speed.data());
    check_mean(mass, 1e-6);
    mapkernels::deposit_slabs(displacement.data(), speed.data(), n, refine, n_slabs, side, 3,
                              threaded.data(), mean_speed.data());
    check(threaded == mass, "three threads, bit for bit");
    Floats density(side * side * side), acceleration(3 * n * n * n, 1.0F);
    mapkernels::deposit_mesh(displacement.data(), n, side, density.data());
    check_mean(density, 1e-5);
    mapkernels::accelerate(displacement.data(), n, potential.data(), side, acceleration.data());
    for (const float value : acceleration) check(value == 0.0F, "no force");
}

/// Displacements far beyond the box, so that every wrap is taken.
void any_lattice() {
    Fuzzer fuzzer;
    for (int trial = 0; trial < 300; ++trial) {
        const std::size_t n = fuzzer.integer(1, 6);
        const double scale = trial % 3 == 0 ? 1000.0 : fuzzer.real(0.0, 1.0);
        Floats displacement(3 * n * n * n);
        for (float& value : displacement) value = static_cast<float>(fuzzer.real(-scale, scale));
        check_lattice(displacement, n, fuzzer.integer(1, 3), fuzzer.integer(1, 9));
    }
}

/// The edges of the box are where an index can leave it: just below 0, and just below 1.
void edges_of_the_box() {
    for (const float edge : {-0.5F, std::nextafter(-0.5F, -1.0F), std::nextafter(-0.5F, 0.0F),
                             std::nextafter(0.5F, 0.0F), 0.5F, 999.5F, -999.5F})
        for (std::size_t side = 1; side < 8; ++side) {
            check_lattice(Floats(3, edge), 1, 1, side);
            Floats density(side * side * side), acceleration(3);
            mapkernels::deposit_mesh(Floats(3, edge).data(), 1, side, density.data());
            mapkernels::accelerate(Floats(3, edge).data(), 1, density.data(), side,
                                   acceleration.data());
            for (const float value : acceleration)
                check(std::abs(value) < 1e-2F * std::pow(static_cast<float>(side), 4.0F),
                      "a particle does not push itself");
        }
}

/// What another thread may write behind the checks: such a particle stays where it started.
void unbounded_displacement() {
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(),
                            std::numeric_limits<float>::infinity(), -1e30F, 1001.0F}) {
        const Floats displacement(3, bad), still(3, 0.0F);
        Floats density(27), expected(27), acceleration(3);
        mapkernels::deposit_mesh(displacement.data(), 1, 3, density.data());
        mapkernels::deposit_mesh(still.data(), 1, 3, expected.data());
        check(density == expected, "a particle without a place stays");
        mapkernels::accelerate(displacement.data(), 1, density.data(), 3, acceleration.data());
        for (const float value : acceleration) check(std::isfinite(value), "and feels a force");
    }
}

}  // namespace

int main() {
    any_lattice();
    edges_of_the_box();
    unbounded_displacement();
}
