#include "mapkernels/preprocess.hpp"

#include "array_checks.hpp"
#include "module.hpp"

namespace mapkernels::bindings {

namespace {

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

void bind_preprocess(py::module_& module) {
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
