#include "mapkernels/deposit_slabs.hpp"

#include <vector>

#include "array_checks.hpp"
#include "module.hpp"

namespace mapkernels::bindings {

namespace {

constexpr std::int64_t max_elements = 2097151;  // along an axis; their number fits 63 bits

py::array_t<float> require_slabs(const py::object& value, const std::string& name) {
    auto slabs = require_maps(value, name);
    if (slabs.shape(0) != static_cast<py::ssize_t>(n_axes * n_slabs))
        refuse(name, "shape (15, L, L)", shape_of(slabs));
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
    const std::size_t side = length(mass, 1);

    const py::gil_scoped_release release;  // raw pointers only below this line
    mapkernels::deposit_slabs(source.data(), speed_source, static_cast<std::size_t>(n),
                              static_cast<std::size_t>(refine), side, n_threads, mass_target,
                              mean_speed_target);
}

}  // namespace

void bind_deposit_slabs(py::module_& module) {
    module.def(
        "deposit_slabs", &deposit_slabs, py::arg("displacement"), py::arg("speed"),
        py::arg("refine"), py::arg("mass"), py::arg("mean_speed"), py::arg("n_threads") = 1,
        "Move (n refine)^3 mass elements by a displacement (3, n, n, n) and project mass and\n"
        "mean speed onto five slabs along each axis, (15, L, L).");
}

}  // namespace mapkernels::bindings
