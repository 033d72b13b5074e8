#include "mapkernels/logarithm.hpp"

#include "map_by_map.hpp"
#include "module.hpp"

namespace mapkernels::bindings {

void bind_logarithm(py::module_& module) {
    module.def("log10", &map_by_map<&mapkernels::log10>, py::arg("maps"), py::arg("out"),
               py::arg("n_threads") = 1,
               "Take log10(x) of maps (N, L, L) into `out`, to 2 ulp.\n"
               "`out` may be `maps`. 0 gives -inf, a negative value NaN.");
    module.def("log10p1", &map_by_map<&mapkernels::log10p1>, py::arg("maps"), py::arg("out"),
               py::arg("n_threads") = 1,
               "Take log10(1 + x) of maps (N, L, L) into `out`, to 2 ulp, also for small x.\n"
               "`out` may be `maps`. -1 gives -inf, less gives NaN.");
}

}  // namespace mapkernels::bindings
