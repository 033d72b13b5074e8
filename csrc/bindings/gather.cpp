#include "mapkernels/gather.hpp"

#include <pybind11/stl.h>

#include <vector>

#include "array_checks.hpp"
#include "module.hpp"

namespace mapkernels::bindings {

namespace {

std::string element(const std::string& name, std::size_t i) {
    return name + "[" + std::to_string(i) + "]";
}

/// (B, C, L, L) float32, writable.
py::array_t<float> require_batch(const py::object& value) {
    auto out = require_array<float>(value, "out");
    if (out.ndim() != 4 || out.shape(2) != out.shape(3) || out.shape(2) < 1)
        refuse("out", "shape (B, C, L, L) with L >= 1", shape_of(out));
    require_writable(out, "out");
    return out;
}

/// One array of maps a channel of `out`, each of its size and apart from it.
std::vector<py::array_t<float>> require_fields(const std::vector<py::object>& fields_like,
                                               const py::array_t<float>& out) {
    if (fields_like.size() != length(out, 1))
        refuse("fields", "one array a channel of out, " + std::to_string(out.shape(1)),
               std::to_string(fields_like.size()));
    std::vector<py::array_t<float>> fields;
    for (std::size_t c = 0; c < fields_like.size(); ++c) {
        const std::string name = element("fields", c);
        fields.push_back(require_maps(fields_like[c], name));
        if (fields[c].shape(1) != out.shape(2))
            refuse(name, "maps of " + std::to_string(out.shape(2)) + " pixels as in out",
                   shape_of(fields[c]));
        require_apart(out, "out", fields[c], name);
    }
    return fields;
}

template <typename T>
py::array_t<T> require_vector(const py::object& value, py::ssize_t n, const std::string& name,
                              const std::string& letters) {
    auto vector = require_array<T>(value, name);
    require_shape(vector, py::make_tuple(n), name, letters);
    return vector;
}

/// Every value in [0, n).
void require_in_range(const py::array_t<std::int64_t>& values, std::int64_t n,
                      const std::string& name) {
    const std::int64_t* const data = values.data();
    for (std::size_t b = 0; b < length(values, 0); ++b)
        if (data[b] < 0 || data[b] >= n)
            refuse(element(name, b), "0 <= value < " + std::to_string(n), std::to_string(data[b]));
}

void require_standardization(const py::array_t<double>& mean, const py::array_t<double>& std) {
    for (std::size_t c = 0; c < length(mean, 0); ++c) {
        if (!std::isfinite(mean.data()[c]))
            refuse(element("mean", c), "a finite value", text(py::float_(mean.data()[c])));
        if (!std::isfinite(std.data()[c]) || std.data()[c] <= 0.0)
            refuse(element("std", c), "a finite value > 0", text(py::float_(std.data()[c])));
    }
}

void gather(const std::vector<py::object>& fields_like, const py::object& index_like,
            const py::object& orientation_like, const py::object& shift_like,
            const py::object& mean_like, const py::object& std_like, const py::object& out_like,
            int n_threads) {
    auto out = require_batch(out_like);
    const auto fields = require_fields(fields_like, out);
    const py::ssize_t n_batch = out.shape(0), n_channels = out.shape(1);
    const auto index = require_vector<std::int64_t>(index_like, n_batch, "index", "(B,)");
    for (const auto& maps : fields) require_in_range(index, maps.shape(0), "index");
    const auto orientation =
        require_vector<std::int64_t>(orientation_like, n_batch, "orientation", "(B,)");
    require_in_range(orientation, 8, "orientation");
    const auto shift = require_array<std::int64_t>(shift_like, "shift");
    require_shape(shift, py::make_tuple(n_batch, 2), "shift", "(B, 2)");
    const auto mean = require_vector<double>(mean_like, n_channels, "mean", "(C,)");
    const auto std = require_vector<double>(std_like, n_channels, "std", "(C,)");
    require_standardization(mean, std);
    require_threads(n_threads);

    Batch batch{{},           length(out, 0), length(out, 2), index.data(), orientation.data(),
                shift.data(), mean.data(),    std.data()};
    for (const auto& maps : fields) batch.fields.push_back(maps.data());
    float* const target = out.mutable_data();

    const py::gil_scoped_release release;  // raw pointers only below this line
    mapkernels::gather(batch, n_threads, target);
}

}  // namespace

void bind_gather(py::module_& module) {
    module.def("gather", &gather, py::arg("fields"), py::arg("index"), py::arg("orientation"),
               py::arg("shift"), py::arg("mean"), py::arg("std"), py::arg("out"),
               py::arg("n_threads") = 1,
               "Write (orient(roll(map, shift), orientation) - mean) * (1 / std) into `out`\n"
               "(B, C, L, L) for map `index` of each of C `fields` (N, L, L).");
}

}  // namespace mapkernels::bindings
