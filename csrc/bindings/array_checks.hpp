#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "mapkernels/maps.hpp"
#include "mapkernels/particles.hpp"

/// Checks of what comes from Python, before the GIL is released. They never convert and never copy:
/// a silent float64 -> float32 cast would hide the caller's mistake and double the memory. Every
/// message names the argument, the rule and the value found.
namespace mapkernels::bindings {

namespace py = pybind11;

inline std::string text(const py::handle& value) { return py::str(value).cast<std::string>(); }

template <typename Error = py::value_error>
[[noreturn]] void refuse(const std::string& name, const std::string& rule,
                         const std::string& found) {
    throw Error(name + ": Expected " + rule + ", got " + found + ".");
}

/// A C-contiguous, aligned array of exactly this type.
inline py::array require_array(const py::object& value, const py::dtype& type,
                               const std::string& name) {
    if (!py::isinstance<py::array>(value))
        refuse<py::type_error>(name, "a NumPy array of " + text(type),
                               text(py::type::of(value).attr("__name__")));
    if (!type.equal(value.attr("dtype")))
        refuse<py::type_error>(name, text(type), text(value.attr("dtype")));
    auto array = py::reinterpret_borrow<py::array>(value);
    if ((array.flags() & py::array::c_style) == 0)
        refuse(name, "a C-contiguous array", "one that is not. Call np.ascontiguousarray first");
    if ((array.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_) == 0)
        refuse(name, "an aligned array", "one that is not");
    return array;
}

template <typename T>
py::array_t<T> require_array(const py::object& value, const std::string& name) {
    return py::reinterpret_borrow<py::array_t<T>>(require_array(value, py::dtype::of<T>(), name));
}

inline void require_writable(const py::array& array, const std::string& name) {
    if (!array.writeable()) refuse(name, "a writable array", "a read-only one");
}

inline std::string shape_of(const py::array& array) { return text(array.attr("shape")); }

/// An array of this shape; `letters` is how the rule is written, such as "(N, 3)".
inline void require_shape(const py::array& array, const py::tuple& shape, const std::string& name,
                          const std::string& letters) {
    if (!py::object(array.attr("shape")).equal(shape))
        refuse(name, "shape " + letters + " = " + text(shape), shape_of(array));
}

inline std::size_t length(const py::array& array, py::ssize_t axis) {
    return static_cast<std::size_t>(array.shape(axis));
}

inline void require_shape_of_maps(const py::array& maps, const std::string& name) {
    if (maps.ndim() != 3 || maps.shape(1) != maps.shape(2) || maps.shape(1) < 1)
        refuse(name, "shape (N, L, L) with L >= 1", shape_of(maps));
}

/// (N, L, L) float32 with L >= 1; N may be 0.
inline py::array_t<float> require_maps(const py::object& value, const std::string& name) {
    auto maps = require_array<float>(value, name);
    require_shape_of_maps(maps, name);
    return maps;
}

/// True if both share memory.
inline bool overlap(const py::array& a, const py::array& b) {
    const auto* const a_begin = static_cast<const char*>(a.data());
    const auto* const b_begin = static_cast<const char*>(b.data());
    return a.nbytes() > 0 && b.nbytes() > 0 && a_begin < b_begin + b.nbytes() &&
           b_begin < a_begin + a.nbytes();
}

inline void require_apart(const py::array& out, const std::string& out_name, const py::array& in,
                          const std::string& in_name) {
    if (overlap(out, in))
        refuse(out_name, "memory apart from " + in_name, "an array that overlaps it");
}

/// Like `maps`, writable, and `maps` itself or apart from it.
inline py::array_t<float> require_out_like(const py::object& value,
                                           const py::array_t<float>& maps) {
    auto out = require_array<float>(value, "out");
    require_shape(out, maps.attr("shape"), "out", "of maps");
    require_writable(out, "out");
    if (out.data() != maps.data()) require_apart(out, "out", maps, "maps");
    return out;
}

/// (N, 3) float64 and writable.
inline py::array_t<double> require_moments(const py::object& value, const std::string& name,
                                           py::ssize_t n_maps) {
    auto moments = require_array<double>(value, name);
    require_shape(moments, py::make_tuple(n_maps, 3), name, "(N, 3)");
    require_writable(moments, name);
    return moments;
}

/// The displacement of a lattice, (3, n, n, n) float32 with n >= 1.
inline py::array_t<float> require_displacement(const py::object& value) {
    auto displacement = require_array<float>(value, "displacement");
    const bool cubic = displacement.ndim() == 4 && displacement.shape(0) == 3 &&
                       displacement.shape(1) >= 1 &&
                       displacement.shape(1) == displacement.shape(2) &&
                       displacement.shape(1) == displacement.shape(3);
    if (!cubic) refuse("displacement", "shape (3, n, n, n) with n >= 1", shape_of(displacement));
    return displacement;
}

/// Refuses values that are not finite or beyond max_displacement. Without the GIL: it reads 49 MB
/// per step of a simulation of 160^3 particles.
inline void require_bounded(const float* displacement, std::size_t size) {
    const auto is_good = [](float x) { return std::fabs(x) <= max_displacement; };  // nor NaN
    const float* bad = displacement + size;
    {
        const py::gil_scoped_release release;
        std::size_t n_good = 0;  // counted without a branch, which vectorizes
        for (std::size_t i = 0; i < size; ++i) n_good += is_good(displacement[i]) ? 1 : 0;
        if (n_good != size) bad = std::find_if_not(displacement, displacement + size, is_good);
    }
    if (bad != displacement + size)
        refuse("displacement",
               "finite values of at most " + text(py::float_(max_displacement)) + " box sides",
               text(py::float_(*bad)) + " at flat index " + std::to_string(bad - displacement));
}

/// (side, side, side) float32 with side >= 1.
inline py::array_t<float> require_mesh(const py::object& value, const std::string& name) {
    auto mesh = require_array<float>(value, name);
    if (mesh.ndim() != 3 || mesh.shape(0) < 1 || mesh.shape(0) != mesh.shape(1) ||
        mesh.shape(0) != mesh.shape(2))
        refuse(name, "shape (m, m, m) with m >= 1", shape_of(mesh));
    return mesh;
}

inline void require_threads(int n_threads) {
    if (n_threads < 1) refuse("n_threads", ">= 1", std::to_string(n_threads));
}

inline void require_width(double width) {
    if (!std::isfinite(width) || width < 0.0)
        refuse("width", "a finite number >= 0 of pixels", text(py::float_(width)));
    if (width > max_smoothing_width)
        refuse("width", "<= " + text(py::float_(max_smoothing_width)) + " pixels",
               text(py::float_(width)));
}

/// Maps in memory, or in the file that they are mapped from: None, or (descriptor, offset of
/// maps[0]).
inline RawMaps raw_maps(const py::array& maps, const py::object& file, const std::string& name) {
    const std::size_t n_pixels = length(maps, 1) * length(maps, 2);
    RawMaps raw{static_cast<const float*>(maps.data()), n_pixels, std::nullopt};
    if (file.is_none()) return raw;
    try {
        const auto place = file.cast<std::pair<int, std::int64_t>>();
        raw.file = FilePlace{place.first, place.second};
    } catch (const py::cast_error&) {
        refuse(name, "None or (descriptor, offset)", text(file));
    }
    if (raw.file->descriptor < 0 || raw.file->offset < 0)
        refuse(name, "a descriptor >= 0 and an offset >= 0", text(file));
    return raw;
}

/// The flat index as Python knows it: -1 for none.
inline std::int64_t index_or_minus_one(std::size_t index) {
    return index == none_invalid ? -1 : static_cast<std::int64_t>(index);
}

}  // namespace mapkernels::bindings
