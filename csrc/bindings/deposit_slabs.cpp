#include "mapkernels/deposit_slabs.hpp"

#include <vector>

#include "array_checks.hpp"
#include "module.hpp"

namespace mapkernels::bindings {

namespace {

constexpr std::int64_t max_elements = 2097151;  // along an axis; their number fits 63 bits

py::array_t<float> require_lattice(const py::object& value) {
    auto displacement = require_array<float>(value, "displacement");
    const bool cubic = displacement.ndim() == 4 && displacement.shape(0) == 3 &&
                       displacement.shape(1) >= 1 &&
                       displacement.shape(1) == displacement.shape(2) &&
                       displacement.shape(1) == displacement.shape(3);
    if (!cubic) refuse("displacement", "shape (3, n, n, n) with n >= 1", shape_of(displacement));
    return displacement;
}

/// A copy, to be checked and then read: a displacement that another thread writes once the GIL is
/// released would move elements out of the maps.
std::vector<float> checked_copy(const py::array_t<float>& displacement) {
    std::vector<float> copy(displacement.data(), displacement.data() + displacement.size());
    for (std::size_t i = 0; i < copy.size(); ++i)
        if (!(std::fabs(copy[i]) <= max_displacement))  // NaN is refused too
            refuse("displacement",
                   "finite values of at most " + text(py::float_(max_displacement)) + " box sides",
                   text(py::float_(copy[i])) + " at flat index " + std::to_string(i));
    return copy;
}

py::array_t<float> require_slabs(const py::object& value, const std::string& name) {
    auto slabs = require_maps(value, name);
    if (slabs.shape(0) != static_cast<py::ssize_t>(n_axes * n_slabs))
        refuse(name, "shape (15, L, L)", shape_of(slabs));
    require_writable(slabs, name);
    return slabs;
}

void deposit_slabs(const py::object& displacement_like, std::int64_t refine,
                   const py::object& mass_like, const py::object& speed_like, int n_threads) {
    const auto displacement = require_lattice(displacement_like);
    const std::vector<float> source = checked_copy(displacement);
    const std::int64_t n = displacement.shape(1);
    if (refine < 1 || refine > max_elements / n)
        refuse("refine", "1 <= refine <= " + std::to_string(max_elements / n),
               std::to_string(refine));
    auto mass = require_slabs(mass_like, "mass");
    auto speed = require_slabs(speed_like, "speed");
    require_shape(speed, mass.attr("shape"), "speed", "of mass");
    require_apart(mass, "mass", displacement, "displacement");
    require_apart(speed, "speed", displacement, "displacement");
    require_apart(speed, "speed", mass, "mass");
    require_threads(n_threads);
    float* const mass_target = mass.mutable_data();
    float* const speed_target = speed.mutable_data();
    const std::size_t side = length(mass, 1);

    const py::gil_scoped_release release;  // raw pointers only below this line
    mapkernels::deposit_slabs(source.data(), static_cast<std::size_t>(n),
                              static_cast<std::size_t>(refine), side, n_threads, mass_target,
                              speed_target);
}

}  // namespace

void bind_deposit_slabs(py::module_& module) {
    module.def(
        "deposit_slabs", &deposit_slabs, py::arg("displacement"), py::arg("refine"),
        py::arg("mass"), py::arg("speed"), py::arg("n_threads") = 1,
        "Move (n refine)^3 mass elements by a displacement (3, n, n, n) and project mass and\n"
        "mean speed onto five slabs along each axis, (15, L, L).");
}

}  // namespace mapkernels::bindings
