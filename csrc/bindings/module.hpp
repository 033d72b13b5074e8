#pragma once

#include <pybind11/pybind11.h>

namespace mapkernels::bindings {

void bind_instructions(pybind11::module_& module);
void bind_gaussian_smooth(pybind11::module_& module);
void bind_logarithm(pybind11::module_& module);
void bind_moments(pybind11::module_& module);
void bind_remove_monopole(pybind11::module_& module);
void bind_find_invalid(pybind11::module_& module);
void bind_preprocess(pybind11::module_& module);
void bind_gather(pybind11::module_& module);
void bind_mapped_files(pybind11::module_& module);
void bind_deposit_slabs(pybind11::module_& module);
void bind_particle_mesh(pybind11::module_& module);

}  // namespace mapkernels::bindings
