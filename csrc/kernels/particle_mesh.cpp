#include "mapkernels/particles.hpp"

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

namespace mapkernels {

namespace {

constexpr std::size_t large_page = std::size_t{2} << 20;

struct DeleteLargePages {
    void operator()(void* memory) const noexcept {
        ::operator delete(memory, std::align_val_t(large_page));
    }
};

/// Memory that is visited at random, in large pages where the system has them; not initialized.
///
/// With pages of 4 KiB, filling and visiting a mesh of 160^3 nodes took 1.3 times as long.
template <typename T>
std::unique_ptr<T[], DeleteLargePages> in_large_pages(std::size_t n) {
    const std::size_t n_bytes = n * sizeof(T);
    void* const memory = ::operator new(n_bytes, std::align_val_t(large_page));
#if defined(MADV_HUGEPAGE)
    ::madvise(memory, n_bytes, MADV_HUGEPAGE);  // advice: nothing is lost if it is not taken
#endif
    return std::unique_ptr<T[], DeleteLargePages>(static_cast<T*>(memory));
}

/// A periodic mesh with its first plane, row and node repeated after the last.
///
/// The eight nodes around a particle are then at the same distances everywhere; none is wrapped.
struct PaddedMesh {
    explicit PaddedMesh(std::size_t n) : side(n), row(n + 1), plane(row * row), size(plane * row) {}

    /// From the lowest of the eight nodes to the lower one of each pair along axis 2.
    [[nodiscard]] std::array<std::size_t, 4> pairs() const noexcept {
        return {0, row, plane, plane + row};
    }

    std::size_t side;   ///< nodes per axis, without the repeated one
    std::size_t row;    ///< distance of neighbors along axis 1
    std::size_t plane;  ///< distance of neighbors along axis 0
    std::size_t size;
};

/// The particles of one row of a displaced lattice on a padded mesh.
///
/// Particle (i, j, k) of n^3 starts at ((i + 0.5) / n, ...); nodes are at i / side. In float32, and
/// in loops that vectorize: a position is right to 1e-7 of the box. Each displacement is read once,
/// and as 0 if it is beyond max_displacement: another thread can move no particle off the mesh.
class RowOnMesh {
public:
    RowOnMesh(const float* displacement, std::size_t n, const PaddedMesh& mesh)
        : displacement_(displacement), n_(n), mesh_(mesh), start_(n) {
        for (std::size_t k = 0; k < n; ++k)
            start_[k] = (static_cast<float>(k) + 0.5F) / static_cast<float>(n);
        for (Axis& axis : axes_) axis = {std::vector<std::int32_t>(n), std::vector<float>(n)};
    }

    void locate(std::size_t i, std::size_t j) noexcept {
        const std::size_t n_particles = n_ * n_ * n_;
        const float* const psi = displacement_ + (i * n_ + j) * n_;
        const float x = start_[i], y = start_[j];
        const float* const z = start_.data();
        place(psi, [x](std::size_t /*k*/) { return x; }, axes_[0]);
        place(psi + n_particles, [y](std::size_t /*k*/) { return y; }, axes_[1]);
        place(psi + 2 * n_particles, [z](std::size_t k) { return z[k]; }, axes_[2]);
    }

    /// The lowest of the eight nodes around particle k.
    [[nodiscard]] std::size_t node(std::size_t k) const noexcept {
        const auto along = [&](std::size_t axis) {
            return static_cast<std::size_t>(axes_[axis].low[k]);
        };
        return along(0) * mesh_.plane + along(1) * mesh_.row + along(2);
    }

    /// The share of particle k of each pair of nodes along axis 2.
    [[nodiscard]] std::array<float, 4> shares(std::size_t k) const noexcept {
        const float x = axes_[0].above[k], y = axes_[1].above[k];
        return {(1.0F - x) * (1.0F - y), (1.0F - x) * y, x * (1.0F - y), x * y};
    }

    /// The share of the higher node in each pair.
    [[nodiscard]] float above(std::size_t k) const noexcept { return axes_[2].above[k]; }

    /// Fetches the nodes of a particle that is visited soon.
    template <typename Node>
    void prefetch(const Node* mesh, std::size_t k) const noexcept {
        constexpr std::size_t ahead = 16;  // 4 to 32 are within 10%
        if (k + ahead >= n_) return;
        const Node* const low = mesh + node(k + ahead);
        for (const std::size_t pair : mesh_.pairs()) __builtin_prefetch(low + pair);
    }

private:
    struct Axis {
        std::vector<std::int32_t> low;  ///< node below
        std::vector<float> above;       ///< share of the node above it
    };

    template <typename Start>
    void place(const float* psi, const Start& start, Axis& axis) const noexcept {
        std::int32_t* const __restrict low = axis.low.data();
        float* const __restrict above = axis.above.data();
        const auto side = static_cast<std::int32_t>(mesh_.side);
        for (std::size_t k = 0; k < n_; ++k) {
            const float moved = psi[k];
            float x = start(k) + (std::fabs(moved) <= max_displacement ? moved : 0.0F);
            x -= static_cast<float>(static_cast<std::int32_t>(x));
            x = x < 0.0F ? x + 1.0F : x;  // at most 1, by rounding
            const float scaled = x * static_cast<float>(side);
            const auto node = static_cast<std::int32_t>(scaled);
            above[k] = scaled - static_cast<float>(node);
            low[k] = node < side ? node : 0;
        }
    }

    const float* displacement_;
    std::size_t n_;
    PaddedMesh mesh_;
    std::vector<float> start_;
    std::array<Axis, 3> axes_;
};

/// Three components and a gap, in one register.
struct Vector {
    using Components = float __attribute__((vector_size(16)));

    Components components;
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
    for (std::size_t k = 0; k < side; ++k)
        out[k].components = Vector::Components{rows.x[k], rows.y[k], rows.z[k], 0.0F};
}

/// Minus the gradient of the potential, at each node of the padded mesh.
void differentiate(const float* potential, const PaddedMesh& mesh, Vector* force) {
    Rows rows(mesh.side);
    for (std::size_t i = 0; i < mesh.side; ++i) {
        Vector* const plane = force + i * mesh.plane;
        for (std::size_t j = 0; j < mesh.side; ++j) {
            Vector* const row = plane + j * mesh.row;
            difference_row(potential, mesh.side, i, j, rows, row);
            row[mesh.side] = row[0];
        }
        std::copy_n(plane, mesh.row, plane + mesh.side * mesh.row);
    }
    std::copy_n(force, mesh.plane, force + mesh.side * mesh.plane);
}

/// Adds what particles left on the repeated nodes to the first ones, and takes the padding away.
void fold(const PaddedMesh& mesh, float* padded, float* density) noexcept {
    const std::size_t side = mesh.side;
    const auto add = [](const float* from, std::size_t n, float* to) {
        for (std::size_t k = 0; k < n; ++k) to[k] += from[k];
    };
    add(padded + side * mesh.plane, mesh.plane, padded);
    for (std::size_t i = 0; i < side; ++i) {
        float* const plane = padded + i * mesh.plane;
        add(plane + side * mesh.row, mesh.row, plane);
        for (std::size_t j = 0; j < side; ++j) {
            float* const row = plane + j * mesh.row;
            row[0] += row[side];
            std::copy_n(row, side, density + (i * side + j) * side);
        }
    }
}

}  // namespace

void deposit_mesh(const float* displacement, std::size_t n, std::size_t side, float* density) {
    const double ratio = static_cast<double>(side) / static_cast<double>(n);
    const auto mass = static_cast<float>(ratio * ratio * ratio);
    const PaddedMesh mesh(side);
    const auto padded = in_large_pages<float>(mesh.size);
    std::fill_n(padded.get(), mesh.size, 0.0F);
    const std::array<std::size_t, 4> pairs = mesh.pairs();
    RowOnMesh row(displacement, n, mesh);
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j) {
            row.locate(i, j);
            for (std::size_t k = 0; k < n; ++k) {
                row.prefetch(padded.get(), k);
                float* const node = padded.get() + row.node(k);
                const std::array<float, 4> shares = row.shares(k);
                const float high = mass * row.above(k), low = mass - high;
                for (std::size_t pair = 0; pair < pairs.size(); ++pair) {
                    node[pairs[pair]] += shares[pair] * low;
                    node[pairs[pair] + 1] += shares[pair] * high;
                }
            }
        }
    fold(mesh, padded.get(), density);
}

void accelerate(const float* displacement, std::size_t n, const float* potential, std::size_t side,
                float* acceleration) {
    const PaddedMesh mesh(side);
    const auto force = in_large_pages<Vector>(mesh.size);
    differentiate(potential, mesh, force.get());
    const std::size_t n_particles = n * n * n;
    const std::array<std::size_t, 4> pairs = mesh.pairs();
    RowOnMesh row(displacement, n, mesh);
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j) {
            row.locate(i, j);
            float* const out = acceleration + (i * n + j) * n;
            for (std::size_t k = 0; k < n; ++k) {
                row.prefetch(force.get(), k);
                const Vector* const node = force.get() + row.node(k);
                const std::array<float, 4> shares = row.shares(k);
                const auto blend = [&](const Vector* of) {
                    return shares[0] * of[pairs[0]].components +
                           shares[1] * of[pairs[1]].components +
                           shares[2] * of[pairs[2]].components +
                           shares[3] * of[pairs[3]].components;
                };
                const Vector::Components low = blend(node), high = blend(node + 1);
                const Vector::Components sum = low + row.above(k) * (high - low);
                for (std::size_t axis = 0; axis < 3; ++axis)
                    out[axis * n_particles + k] = sum[axis];
            }
        }
}

}  // namespace mapkernels
