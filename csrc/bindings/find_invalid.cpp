#include "mapkernels/find_invalid.hpp"

#include "array_checks.hpp"
#include "module.hpp"

namespace mapkernels::bindings {

namespace {

std::int64_t find_invalid(const py::object& maps_like, bool allow_zero, int n_threads) {
    const auto maps = require_maps(maps_like, "maps");
    require_threads(n_threads);
    const float* const source = maps.data();
    const std::size_t n_maps = length(maps, 0), n_pixels = length(maps, 1) * length(maps, 1);

    const py::gil_scoped_release release;  // raw pointers only below this line
    return index_or_minus_one(
        mapkernels::find_invalid(source, n_maps, n_pixels, allow_zero, n_threads));
}

}  // namespace

void bind_find_invalid(py::module_& module) {
    module.def(
        "find_invalid", &find_invalid, py::arg("maps"), py::arg("allow_zero").noconvert(),
        py::arg("n_threads") = 1,
        "Return the flat index of the first pixel that is NaN, infinite, negative or, unless\n"
        "`allow_zero`, zero; -1 if there is none.");
}

}  // namespace mapkernels::bindings
