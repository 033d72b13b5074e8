#pragma once

#include "array_checks.hpp"
#include "mapkernels/parallel.hpp"

namespace mapkernels::bindings {

/// Binds a kernel that takes one map of n pixels into another of as many.
template <void (*kernel)(const float*, std::size_t, float*)>
void map_by_map(const py::object& maps_like, const py::object& out_like, int n_threads) {
    const auto maps = require_maps(maps_like, "maps");
    auto out = require_out_like(out_like, maps);
    require_threads(n_threads);
    const float* const source = maps.data();
    float* const target = out.mutable_data();
    const std::size_t n_maps = length(maps, 0), n_pixels = length(maps, 1) * length(maps, 1);

    const py::gil_scoped_release release;  // raw pointers only below this line
    for_each_map(n_maps, n_threads, [&](std::size_t i) {
        kernel(source + i * n_pixels, n_pixels, target + i * n_pixels);
    });
}

}  // namespace mapkernels::bindings
