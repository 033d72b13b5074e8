#include "mapkernels/gaussian_smooth.hpp"

#include "array_checks.hpp"
#include "module.hpp"

namespace mapkernels::bindings {

namespace {

void gaussian_smooth(const py::object& maps_like, const py::object& out_like, double width,
                     int n_threads) {
    const auto maps = require_maps(maps_like, "maps");
    auto out = require_out_like(out_like, maps);
    require_width(width);
    require_threads(n_threads);
    const float* const source = maps.data();
    float* const target = out.mutable_data();
    const std::size_t n_maps = length(maps, 0), side = length(maps, 1);

    const py::gil_scoped_release release;  // raw pointers only below this line
    mapkernels::gaussian_smooth(source, n_maps, side, width, n_threads, target);
}

}  // namespace

void bind_gaussian_smooth(py::module_& module) {
    module.def("gaussian_smooth", &gaussian_smooth, py::arg("maps"), py::arg("out"),
               py::arg("width"), py::arg("n_threads") = 1,
               "Smooth periodic maps (N, L, L) by a Gaussian of `width` pixels into `out`.\n"
               "`out` may be `maps`.");
}

}  // namespace mapkernels::bindings
