#pragma once

#include <pybind11/pybind11.h>

namespace mapkernels::bindings {

void bind_maps(pybind11::module_& module);
void bind_gather(pybind11::module_& module);
void bind_particles(pybind11::module_& module);

}  // namespace mapkernels::bindings
