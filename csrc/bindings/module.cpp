#include "module.hpp"

#include <pybind11/stl.h>

#include <cstdint>

#include "mapkernels/instructions.hpp"
#include "mapkernels/mapped_files.hpp"
#include "mapkernels/maps.hpp"

namespace py = pybind11;

PYBIND11_MODULE(_core, module, py::mod_gil_not_used()) {
    module.doc() = "Kernels on periodic square maps. Documented in multifield.maps.transforms.";
    py::register_exception<mapkernels::FileError>(module, "FileError", PyExc_OSError);
    module.def("compiler", [] { return __VERSION__; }, "Return the version of the compiler.");
    mapkernels::instructions();  // an unknown name in the environment is found at import
    module.def("available_instructions", &mapkernels::available_instructions,
               "Return the names of the sets of instructions that this machine has, best last.");
    module.def(
        "instructions", &mapkernels::instructions,
        "Return the name of the set of instructions in use.\n"
        "The best one, unless the environment variable MAPKERNELS_INSTRUCTIONS names another.");
    module.def("set_instructions", &mapkernels::set_instructions, py::arg("name"),
               "Use another set of instructions in every thread, from the next call on.\n"
               "Results of two sets may differ in the last digits.");
    module.def(
        "watch_mapping",
        [](std::uintptr_t address, std::size_t n_bytes, const std::string& name) {
            mapkernels::watch_mapping(reinterpret_cast<const void*>(address), n_bytes, name);
        },
        py::arg("address"), py::arg("n_bytes"), py::arg("name"),
        "Name the file behind a memory map, for the message of a bus error.\n"
        "The process ends with it if the file is truncated while it is mapped.");
    module.def(
        "forget_mapping",
        [](std::uintptr_t address) {
            mapkernels::forget_mapping(reinterpret_cast<const void*>(address));
        },
        py::arg("address"), "Forget a mapping before it is unmapped.");
    mapkernels::bindings::bind_maps(module);
    mapkernels::bindings::bind_gather(module);
    mapkernels::bindings::bind_particles(module);
}
