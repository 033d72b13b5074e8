#include "module.hpp"

#include "mapkernels/raw_maps.hpp"

namespace bindings = mapkernels::bindings;

PYBIND11_MODULE(_core, module, pybind11::mod_gil_not_used()) {
    module.doc() = "Kernels on periodic square maps. Documented in multifield.maps.transforms.";
    pybind11::register_exception<mapkernels::FileError>(module, "FileError", PyExc_OSError);
    bindings::bind_instructions(module);
    bindings::bind_gaussian_smooth(module);
    bindings::bind_logarithm(module);
    bindings::bind_moments(module);
    bindings::bind_remove_monopole(module);
    bindings::bind_find_invalid(module);
    bindings::bind_preprocess(module);
    bindings::bind_gather(module);
    bindings::bind_mapped_files(module);
    bindings::bind_deposit_slabs(module);
    bindings::bind_particle_mesh(module);
}
