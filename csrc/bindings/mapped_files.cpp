#include "mapkernels/mapped_files.hpp"

#include <cstdint>

#include "module.hpp"

namespace mapkernels::bindings {

namespace py = pybind11;

void bind_mapped_files(py::module_& module) {
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
}

}  // namespace mapkernels::bindings
