#include "mapkernels/particle_mesh.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "periodic.hpp"

namespace mapkernels {

namespace {

/// Three components and a gap: one load of 16 bytes.
struct alignas(16) Vector {
    std::array<float, 4> component;
};

/// One component each, so that their loops vectorize.
struct Rows {
    explicit Rows(std::size_t side) : x(side), y(side), z(side) {}

    std::vector<float> x;
    std::vector<float> y;
    std::vector<float> z;
};

/// Minus the four-point difference of one row of the mesh, along all axes.
void difference_row(const float* potential, std::size_t side, std::size_t i, std::size_t j,
                    Rows& rows, Vector* out) noexcept {
    const auto at = [side](std::size_t x, std::size_t step) { return (x + step) % side; };
    const auto row = [&](std::size_t a, std::size_t b) {
        return potential + (a * side + b) * side;
    };
    const std::size_t back = side * 2;  // so that a step back is a sum of unsigned numbers
    const std::array<const float*, 4> x = {row(at(i, 1), j), row(at(i, back - 1), j),
                                           row(at(i, 2), j), row(at(i, back - 2), j)};
    const std::array<const float*, 4> y = {row(i, at(j, 1)), row(i, at(j, back - 1)),
                                           row(i, at(j, 2)), row(i, at(j, back - 2))};
    const float* const z = row(i, j);
    const float near = -8.0F / 12.0F * static_cast<float>(side);
    const float far = 1.0F / 12.0F * static_cast<float>(side);
    const auto along_row = [&](std::size_t k) {
        return near * (z[at(k, 1)] - z[at(k, back - 1)]) + far * (z[at(k, 2)] - z[at(k, back - 2)]);
    };
    const std::size_t first = std::min<std::size_t>(2, side), last = std::max(side, first + 2) - 2;
    for (std::size_t k = 0; k < first; ++k) rows.z[k] = along_row(k);
    for (std::size_t k = first; k < last; ++k)
        rows.z[k] = near * (z[k + 1] - z[k - 1]) + far * (z[k + 2] - z[k - 2]);
    for (std::size_t k = last; k < side; ++k) rows.z[k] = along_row(k);
    for (std::size_t k = 0; k < side; ++k) {
        rows.x[k] = near * (x[0][k] - x[1][k]) + far * (x[2][k] - x[3][k]);
        rows.y[k] = near * (y[0][k] - y[1][k]) + far * (y[2][k] - y[3][k]);
    }
    for (std::size_t k = 0; k < side; ++k) out[k] = {{rows.x[k], rows.y[k], rows.z[k], 0.0F}};
}

}  // namespace

void deposit_mesh(const float* displacement, std::size_t n, std::size_t side, float* density) {
    const double ratio = static_cast<double>(side) / static_cast<double>(n);
    const auto mass = static_cast<float>(ratio * ratio * ratio);
    std::fill(density, density + side * side * side, 0.0F);
    RowOnMesh row(displacement, n, side);
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j) {
            row.locate(i, j);
            for (std::size_t k = 0; k < n; ++k)
                row.for_each_node(
                    k, [&](std::size_t node, float weight) { density[node] += mass * weight; });
        }
}

void accelerate(const float* displacement, std::size_t n, const float* potential, std::size_t side,
                float* acceleration) {
    const std::unique_ptr<Vector[]> force(new Vector[side * side * side]);  // not initialized
    Rows rows(side);
    for (std::size_t i = 0; i < side; ++i)
        for (std::size_t j = 0; j < side; ++j)
            difference_row(potential, side, i, j, rows, force.get() + (i * side + j) * side);
    const std::size_t n_particles = n * n * n;
    RowOnMesh row(displacement, n, side);
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j) {
            row.locate(i, j);
            float* const out = acceleration + (i * n + j) * n;
            for (std::size_t k = 0; k < n; ++k) {
                Vector sum = {};
                row.for_each_node(k, [&](std::size_t node, float weight) {
                    for (std::size_t c = 0; c < 4; ++c)
                        sum.component[c] += weight * force[node].component[c];
                });
                for (std::size_t axis = 0; axis < 3; ++axis)
                    out[axis * n_particles + k] = sum.component[axis];
            }
        }
}

}  // namespace mapkernels
