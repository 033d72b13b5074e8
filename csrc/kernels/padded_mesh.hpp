#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "mapkernels/deposit_slabs.hpp"

namespace mapkernels {

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

}  // namespace mapkernels
