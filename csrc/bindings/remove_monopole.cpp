#include "mapkernels/remove_monopole.hpp"

#include "array_checks.hpp"
#include "mapkernels/parallel.hpp"
#include "module.hpp"

namespace mapkernels::bindings {

namespace {

void remove_monopole(const py::object& maps_like, const py::object& out_like, int n_threads) {
    const auto maps = require_maps(maps_like, "maps");
    auto out = require_out_like(out_like, maps);
    require_threads(n_threads);
    const float* const source = maps.data();
    float* const target = out.mutable_data();
    const std::size_t n_maps = length(maps, 0), n_pixels = length(maps, 1) * length(maps, 1);

    const py::gil_scoped_release release;  // raw pointers only below this line
    for_each_map(n_maps, n_threads, [&](std::size_t i) {
        mapkernels::remove_monopole(source + i * n_pixels, n_pixels, target + i * n_pixels);
    });
}

}  // namespace

void bind_remove_monopole(py::module_& module) {
    module.def("remove_monopole", &remove_monopole, py::arg("maps"), py::arg("out"),
               py::arg("n_threads") = 1,
               "Write maps (N, L, L) less their own means into `out`.\n"
               "`out` may be `maps`.");
}

}  // namespace mapkernels::bindings
