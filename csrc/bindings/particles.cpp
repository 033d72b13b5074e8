#include "mapkernels/particles.hpp"

#include <vector>

#include "array_checks.hpp"
#include "module.hpp"

namespace mapkernels::bindings {

namespace {

constexpr std::int64_t max_elements = 2097151;  // along an axis; their number fits 63 bits

py::array_t<float> require_slabs(const py::object& value, const std::string& name) {
    auto slabs = require_maps(value, name);
    if (slabs.shape(0) == 0 || slabs.shape(0) % static_cast<py::ssize_t>(n_axes) != 0)
        refuse(name, "shape (3 S, L, L) with S >= 1 slabs", shape_of(slabs));
    require_writable(slabs, name);
    return slabs;
}

void deposit_slabs(const py::object& displacement_like, const py::object& speed_like,
                   std::int64_t refine, const py::object& mass_like,
                   const py::object& mean_speed_like, int n_threads) {
    const auto displacement = require_displacement(displacement_like);
    // a copy: a displacement that another thread writes meanwhile would move elements out of the
    // maps
    const std::vector<float> source(displacement.data(), displacement.data() + displacement.size());
    require_bounded(source.data(), source.size());
    const std::int64_t n = displacement.shape(1);
    const auto speed = require_mesh(speed_like, "speed");
    require_shape(speed, py::make_tuple(n, n, n), "speed", "of the lattice");
    if (refine < 1 || refine > max_elements / n)
        refuse("refine", "1 <= refine <= " + std::to_string(max_elements / n),
               std::to_string(refine));
    auto mass = require_slabs(mass_like, "mass");
    auto mean_speed = require_slabs(mean_speed_like, "mean_speed");
    require_shape(mean_speed, mass.attr("shape"), "mean_speed", "of mass");
    for (const auto& [out, name] :
         {std::pair(py::array(mass), "mass"), std::pair(py::array(mean_speed), "mean_speed")}) {
        require_apart(out, name, displacement, "displacement");
        require_apart(out, name, speed, "speed");
    }
    require_apart(mean_speed, "mean_speed", mass, "mass");
    require_threads(n_threads);
    const float* const speed_source = speed.data();
    float* const mass_target = mass.mutable_data();
    float* const mean_speed_target = mean_speed.mutable_data();
    const std::size_t n_slabs = length(mass, 0) / n_axes, side = length(mass, 1);

    const py::gil_scoped_release release;  // raw pointers only below this line
    mapkernels::deposit_slabs(source.data(), speed_source, static_cast<std::size_t>(n),
                              static_cast<std::size_t>(refine), n_slabs, side, n_threads,
                              mass_target, mean_speed_target);
}

void deposit_mesh(const py::object& displacement_like, const py::object& density_like) {
    const auto displacement = require_displacement(displacement_like);
    const float* const source = displacement.data();
    require_bounded(source, static_cast<std::size_t>(displacement.size()));
    auto density = require_mesh(density_like, "density");
    require_writable(density, "density");
    require_apart(density, "density", displacement, "displacement");
    const std::size_t n = length(displacement, 1), side = length(density, 0);
    float* const target = density.mutable_data();

    const py::gil_scoped_release release;  // raw pointers only below this line
    mapkernels::deposit_mesh(source, n, side, target);
}

void accelerate(const py::object& displacement_like, const py::object& potential_like,
                const py::object& acceleration_like) {
    const auto displacement = require_displacement(displacement_like);
    const float* const source = displacement.data();
    require_bounded(source, static_cast<std::size_t>(displacement.size()));
    const auto potential = require_mesh(potential_like, "potential");
    auto acceleration = require_array<float>(acceleration_like, "acceleration");
    require_shape(acceleration, displacement.attr("shape"), "acceleration", "of displacement");
    require_writable(acceleration, "acceleration");
    require_apart(acceleration, "acceleration", displacement, "displacement");
    require_apart(acceleration, "acceleration", potential, "potential");
    const std::size_t n = length(displacement, 1), side = length(potential, 0);
    const float* const mesh = potential.data();
    float* const target = acceleration.mutable_data();

    const py::gil_scoped_release release;  // raw pointers only below this line
    mapkernels::accelerate(source, n, mesh, side, target);
}

}  // namespace

void bind_particles(py::module_& module) {
    module.def(
        "deposit_slabs", &deposit_slabs, py::arg("displacement"), py::arg("speed"),
        py::arg("refine"), py::arg("mass"), py::arg("mean_speed"), py::arg("n_threads") = 1,
        "Move (n refine)^3 mass elements by a displacement (3, n, n, n) and project mass and\n"
        "mean speed onto S slabs along each axis, (3 S, L, L).");
    module.def("deposit_mesh", &deposit_mesh, py::arg("displacement"), py::arg("density"),
               "Spread the particles of a displaced lattice (3, n, n, n) over a periodic mesh\n"
               "(m, m, m) by cloud-in-cell.");
    module.def("accelerate", &accelerate, py::arg("displacement"), py::arg("potential"),
               py::arg("acceleration"),
               "Minus the gradient of a potential on a mesh (m, m, m) at the particles of a\n"
               "displaced lattice, (3, n, n, n).");
}

}  // namespace mapkernels::bindings
