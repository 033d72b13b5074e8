#include "mapkernels/maps.hpp"

#include "array_checks.hpp"
#include "mapkernels/parallel.hpp"
#include "module.hpp"

namespace mapkernels::bindings {

namespace {

/// Binds a kernel that takes one map of n pixels into another of as many.
template <void (*kernel)(const float*, std::size_t, float*)>
void map_by_map(const py::object& maps_like, const py::object& out_like, int n_threads) {
    const auto maps = require_maps(maps_like, "maps");
    auto out = require_out_like(out_like, maps);
    require_threads(n_threads);
    const float* const source = maps.data();
    float* const target = out.mutable_data();
    const std::size_t n_maps = length(maps, 0), n_pixels = length(maps, 1) * length(maps, 1);

    const py::gil_scoped_release release;  // raw pointers only below this line
    for_each_map(n_maps, n_threads, [&](std::size_t i) {
        kernel(source + i * n_pixels, n_pixels, target + i * n_pixels);
    });
}

std::int64_t find_invalid(const py::object& maps_like, bool allow_zero, int n_threads) {
    const auto maps = require_maps(maps_like, "maps");
    require_threads(n_threads);
    const float* const source = maps.data();
    const std::size_t n_maps = length(maps, 0), n_pixels = length(maps, 1) * length(maps, 1);

    const py::gil_scoped_release release;  // raw pointers only below this line
    return index_or_minus_one(
        mapkernels::find_invalid(source, n_maps, n_pixels, allow_zero, n_threads));
}

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

/// None, or an array like `maps` and apart from it.
float* optional_out(const py::object& out_like, const py::array_t<float>& maps) {
    if (out_like.is_none()) return nullptr;
    auto out = require_out_like(out_like, maps);
    require_apart(out, "out", maps, "maps");
    return out.mutable_data();
}

std::int64_t preprocess(const py::object& maps_like, const py::object& out_like,
                        const py::object& moments_like, double width, bool plus_one,
                        bool remove_monopole, int n_threads, const py::object& file) {
    const auto maps = require_maps(maps_like, "maps");
    float* const target = optional_out(out_like, maps);
    auto moments = require_moments(moments_like, "moments", maps.shape(0));
    require_apart(moments, "moments", maps, "maps");
    if (target != nullptr)
        require_apart(moments, "moments", py::reinterpret_borrow<py::array>(out_like), "out");
    require_width(width);
    require_threads(n_threads);
    const RawMaps source = raw_maps(maps, file, "file");
    double* const moments_rows = moments.mutable_data();
    const std::size_t n_maps = length(maps, 0), side = length(maps, 1);

    const py::gil_scoped_release release;  // raw pointers only below this line
    return index_or_minus_one(mapkernels::preprocess(
        source, n_maps, side, {width, plus_one, remove_monopole}, n_threads, target, moments_rows));
}

}  // namespace

void bind_maps(py::module_& module) {
    module.def(
        "find_invalid", &find_invalid, py::arg("maps"), py::arg("allow_zero").noconvert(),
        py::arg("n_threads") = 1,
        "Return the flat index of the first pixel that is NaN, infinite, negative or, unless\n"
        "`allow_zero`, zero; -1 if there is none.");
    module.def("gaussian_smooth", &gaussian_smooth, py::arg("maps"), py::arg("out"),
               py::arg("width"), py::arg("n_threads") = 1,
               "Smooth periodic maps (N, L, L) by a Gaussian of `width` pixels into `out`.\n"
               "`out` may be `maps`.");
    module.def("log10", &map_by_map<&mapkernels::log10>, py::arg("maps"), py::arg("out"),
               py::arg("n_threads") = 1,
               "Take log10(x) of maps (N, L, L) into `out`, to 2 ulp.\n"
               "`out` may be `maps`. 0 gives -inf, a negative value NaN.");
    module.def("log10p1", &map_by_map<&mapkernels::log10p1>, py::arg("maps"), py::arg("out"),
               py::arg("n_threads") = 1,
               "Take log10(1 + x) of maps (N, L, L) into `out`, to 2 ulp, also for small x.\n"
               "`out` may be `maps`. -1 gives -inf, less gives NaN.");
    module.def(
        "map_moments", &map_moments, py::arg("maps"), py::arg("out"), py::arg("n_threads") = 1,
        "Write count, mean and M2 = sum (x - mean)^2 of each map (N, L, L) into `out` (N, 3).\n"
        "In float64.");
    module.def("combine_moments", &combine_moments, py::arg("moments"),
               "Return count, mean and M2 of the union of sets whose moments are rows of (M, 3).\n"
               "Combined in row order.");
    module.def("remove_monopole", &map_by_map<&mapkernels::remove_monopole>, py::arg("maps"),
               py::arg("out"), py::arg("n_threads") = 1,
               "Write maps (N, L, L) less their own means into `out`.\n"
               "`out` may be `maps`.");
    module.def(
        "preprocess", &preprocess, py::arg("maps"), py::arg("out"), py::arg("moments"),
        py::arg("width"), py::arg("plus_one").noconvert(), py::arg("remove_monopole").noconvert(),
        py::arg("n_threads") = 1, py::arg("file") = py::none(),
        "Check, smooth, log10(x) or log10(1 + x), remove the monopole, moments (N, 3); in one\n"
        "pass. Return the flat index of the first invalid pixel, or -1. `out` may be None. Of a "
        "memory\n"
        "map, `file` is the (descriptor, offset) that `maps` are read from.");
}

}  // namespace mapkernels::bindings
