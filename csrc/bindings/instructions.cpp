#include "mapkernels/instructions.hpp"

#include <pybind11/stl.h>

#include "module.hpp"

namespace mapkernels::bindings {

namespace py = pybind11;

namespace {

std::vector<std::string> available_instructions() {
    std::vector<std::string> names;
    for (const Instructions available : mapkernels::available_instructions())
        names.push_back(name_of(available));
    return names;
}

}  // namespace

void bind_instructions(py::module_& module) {
    mapkernels::instructions();  // an unknown name in the environment is found at import
    module.def("available_instructions", &available_instructions,
               "Return the names of the sets of instructions that this machine has, best last.");
    module.def(
        "instructions", [] { return name_of(mapkernels::instructions()); },
        "Return the name of the set of instructions in use.\n"
        "The best one, unless the environment variable MAPKERNELS_INSTRUCTIONS names another.");
    module.def("set_instructions", &mapkernels::set_instructions, py::arg("name"),
               "Use another set of instructions in every thread, from the next call on.\n"
               "Results of two sets may differ in the last digits.");
}

}  // namespace mapkernels::bindings
