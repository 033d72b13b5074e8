#include "mapkernels/gather.hpp"

#include <pybind11/stl.h>

#include <limits>
#include <vector>

#include "array_checks.hpp"
#include "module.hpp"

namespace mapkernels::bindings {

namespace {

std::string element(const std::string& name, std::size_t i) {
    return name + "[" + std::to_string(i) + "]";
}

PixelType require_pixel_type(const std::string& value, const std::string& name) {
    if (value == "float32") return PixelType::float32;
    if (value == "float16") return PixelType::float16;
    if (value == "bfloat16") return PixelType::bfloat16;
    refuse(name, "one of float32, float16, bfloat16", "'" + value + "'");
}

/// NumPy's type of arrays of such pixels; it has no bfloat16, whose bits are given as uint16.
py::dtype dtype_of(PixelType type) {
    if (type == PixelType::float16) return py::dtype("float16");
    if (type == PixelType::bfloat16) return py::dtype::of<std::uint16_t>();
    return py::dtype::of<float>();
}

/// (B, C, L, L), writable.
py::array require_batch(const py::object& value, PixelType type) {
    auto out = require_array(value, dtype_of(type), "out");
    if (out.ndim() != 4 || out.shape(2) != out.shape(3) || out.shape(2) < 1)
        refuse("out", "shape (B, C, L, L) with L >= 1", shape_of(out));
    require_writable(out, "out");
    return out;
}

/// One array of maps per channel of `out`, each of its size and apart from it.
std::vector<py::array> require_fields(const std::vector<py::object>& fields_like, PixelType type,
                                      const py::array& out) {
    if (fields_like.size() != length(out, 1))
        refuse("fields", "one array per channel of out, " + std::to_string(out.shape(1)),
               std::to_string(fields_like.size()));
    std::vector<py::array> fields;
    for (std::size_t c = 0; c < fields_like.size(); ++c) {
        const std::string name = element("fields", c);
        fields.push_back(require_array(fields_like[c], dtype_of(type), name));
        require_shape_of_maps(fields[c], name);
        if (fields[c].shape(1) != out.shape(2))
            refuse(name, "maps of " + std::to_string(out.shape(2)) + " pixels as in out",
                   shape_of(fields[c]));
        require_apart(out, "out", fields[c], name);
    }
    return fields;
}

/// A copy of a small array of this shape, to be checked and then read: Python may write into the
/// array itself as soon as the GIL is released.
template <typename T>
std::vector<T> copy_of(const py::object& value, const py::tuple& shape, const std::string& name,
                       const std::string& letters) {
    const auto array = require_array<T>(value, name);
    require_shape(array, shape, name, letters);
    return std::vector<T>(array.data(), array.data() + array.size());
}

/// Every value in [0, n).
void require_in_range(const std::vector<std::int64_t>& values, std::int64_t n,
                      const std::string& name) {
    for (std::size_t b = 0; b < values.size(); ++b)
        if (values[b] < 0 || values[b] >= n)
            refuse(element(name, b), "0 <= value < " + std::to_string(n),
                   std::to_string(values[b]));
}

/// The kernel computes in float: what is finite in double may not be, and 1 / std may vanish.
void require_standardization(const std::vector<double>& mean, const std::vector<double>& std) {
    constexpr double max_float = std::numeric_limits<float>::max();
    for (std::size_t c = 0; c < mean.size(); ++c) {
        if (!(std::abs(mean[c]) <= max_float))  // NaN is refused too
            refuse(element("mean", c), "a value that is finite in float32",
                   text(py::float_(mean[c])));
        const double inverse = 1.0 / std[c];
        if (!(inverse > 0.0 && inverse <= max_float && static_cast<float>(inverse) > 0.0F))
            refuse(element("std", c), "a value > 0 whose inverse is finite and > 0 in float32",
                   text(py::float_(std[c])));
    }
}

void gather(const std::vector<py::object>& fields_like, const py::object& index,
            const py::object& orientation, const py::object& shift, const py::object& mean,
            const py::object& std, const py::object& out_like, int n_threads,
            const std::string& field_dtype, const std::string& out_dtype) {
    const PixelType type = require_pixel_type(field_dtype, "field_dtype");
    const PixelType out_type = require_pixel_type(out_dtype, "out_dtype");
    auto out = require_batch(out_like, out_type);
    const auto fields = require_fields(fields_like, type, out);
    const py::tuple per_map = py::make_tuple(out.shape(0));
    const py::tuple per_channel = py::make_tuple(out.shape(1));
    Batch batch{{},
                length(out, 2),
                copy_of<std::int64_t>(index, per_map, "index", "(B,)"),
                copy_of<std::int64_t>(orientation, per_map, "orientation", "(B,)"),
                copy_of<std::int64_t>(shift, py::make_tuple(out.shape(0), 2), "shift", "(B, 2)"),
                copy_of<double>(mean, per_channel, "mean", "(C,)"),
                copy_of<double>(std, per_channel, "std", "(C,)"),
                type,
                out_type};
    for (const auto& maps : fields) {
        batch.fields.push_back(maps.data());
        require_in_range(batch.index, maps.shape(0), "index");
    }
    require_in_range(batch.orientation, 8, "orientation");
    require_standardization(batch.mean, batch.std);
    require_threads(n_threads);
    void* const target = out.mutable_data();

    const py::gil_scoped_release release;  // raw pointers only below this line
    mapkernels::gather(batch, n_threads, target);
}

}  // namespace

void bind_gather(py::module_& module) {
    module.def("gather", &gather, py::arg("fields"), py::arg("index"), py::arg("orientation"),
               py::arg("shift"), py::arg("mean"), py::arg("std"), py::arg("out"),
               py::arg("n_threads") = 1, py::arg("field_dtype") = "float32",
               py::arg("out_dtype") = "float32",
               "Write (orient(roll(map, shift), orientation) - mean) * (1 / std) into `out`\n"
               "(B, C, L, L) for map `index` of each of C `fields` (N, L, L). The two dtypes are\n"
               "float32, float16 or bfloat16, whose bits are given as uint16.");
}

}  // namespace mapkernels::bindings
