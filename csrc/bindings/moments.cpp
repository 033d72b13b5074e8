#include "mapkernels/moments.hpp"

#include "array_checks.hpp"
#include "module.hpp"

namespace mapkernels::bindings {

namespace {

void map_moments(const py::object& maps_like, const py::object& out_like, int n_threads) {
    const auto maps = require_maps(maps_like, "maps");
    auto out = require_moments(out_like, "out", maps.shape(0));
    require_apart(out, "out", maps, "maps");
    require_threads(n_threads);
    const float* const source = maps.data();
    double* const target = out.mutable_data();
    const std::size_t n_maps = length(maps, 0), n_pixels = length(maps, 1) * length(maps, 1);

    const py::gil_scoped_release release;  // raw pointers only below this line
    mapkernels::map_moments(source, n_maps, n_pixels, n_threads, target);
}

py::tuple combine_moments(const py::object& moments_like) {
    const auto moments = require_array<double>(moments_like, "moments");
    if (moments.ndim() != 2 || moments.shape(1) != 3)
        refuse("moments", "shape (M, 3)", shape_of(moments));
    const Moments all = mapkernels::combine_moments(moments.data(), length(moments, 0));
    return py::make_tuple(all.count, all.mean, all.m2);
}

}  // namespace

void bind_moments(py::module_& module) {
    module.def(
        "map_moments", &map_moments, py::arg("maps"), py::arg("out"), py::arg("n_threads") = 1,
        "Write count, mean and M2 = sum (x - mean)^2 of each map (N, L, L) into `out` (N, 3).\n"
        "In float64.");
    module.def("combine_moments", &combine_moments, py::arg("moments"),
               "Return count, mean and M2 of the union of sets whose moments are rows of (M, 3).\n"
               "Combined in row order.");
}

}  // namespace mapkernels::bindings
