#include "mapkernels/particle_mesh.hpp"

#include "array_checks.hpp"
#include "module.hpp"

namespace mapkernels::bindings {

namespace {

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

void bind_particle_mesh(py::module_& module) {
    module.def("deposit_mesh", &deposit_mesh, py::arg("displacement"), py::arg("density"),
               "Spread the particles of a displaced lattice (3, n, n, n) over a periodic mesh\n"
               "(m, m, m) by cloud-in-cell.");
    module.def("accelerate", &accelerate, py::arg("displacement"), py::arg("potential"),
               py::arg("acceleration"),
               "Minus the gradient of a potential on a mesh (m, m, m) at the particles of a\n"
               "displaced lattice, (3, n, n, n).");
}

}  // namespace mapkernels::bindings
