#include "mapkernels/logarithm.hpp"

#include "array_checks.hpp"
#include "mapkernels/parallel.hpp"
#include "module.hpp"

namespace mapkernels::bindings {

namespace {

template <void (*take)(const float*, std::size_t, float*) noexcept>
void logarithm(const py::object& maps_like, const py::object& out_like, int n_threads) {
    const auto maps = require_maps(maps_like, "maps");
    auto out = require_out_like(out_like, maps);
    require_threads(n_threads);
    const float* const source = maps.data();
    float* const target = out.mutable_data();
    const std::size_t n_maps = length(maps, 0), n_pixels = length(maps, 1) * length(maps, 1);

    const py::gil_scoped_release release;  // raw pointers only below this line
    for_each_map(n_maps, n_threads, [&](std::size_t i) {
        take(source + i * n_pixels, n_pixels, target + i * n_pixels);
    });
}

}  // namespace

void bind_logarithm(py::module_& module) {
    module.def("log10", &logarithm<&mapkernels::log10>, py::arg("maps"), py::arg("out"),
               py::arg("n_threads") = 1,
               "Take log10(x) of maps (N, L, L) into `out`, to 2 ulp.\n"
               "`out` may be `maps`. 0 gives -inf, a negative value NaN.");
    module.def("log10p1", &logarithm<&mapkernels::log10p1>, py::arg("maps"), py::arg("out"),
               py::arg("n_threads") = 1,
               "Take log10(1 + x) of maps (N, L, L) into `out`, to 2 ulp, also for small x.\n"
               "`out` may be `maps`. -1 gives -inf, less gives NaN.");
}

}  // namespace mapkernels::bindings
