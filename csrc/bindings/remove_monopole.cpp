#include "mapkernels/remove_monopole.hpp"

#include "map_by_map.hpp"
#include "module.hpp"

namespace mapkernels::bindings {

void bind_remove_monopole(py::module_& module) {
    module.def("remove_monopole", &map_by_map<&mapkernels::remove_monopole>, py::arg("maps"),
               py::arg("out"), py::arg("n_threads") = 1,
               "Write maps (N, L, L) less their own means into `out`.\n"
               "`out` may be `maps`.");
}

}  // namespace mapkernels::bindings
