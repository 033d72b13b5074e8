#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace mapkernels {

/// Into [0, 1), by truncation: SSE2 converts to integers but has no floor. |x| < 2^31.
inline double wrap(double x) noexcept {
    x -= static_cast<double>(static_cast<std::int32_t>(x));
    x = x < 0.0 ? x + 1.0 : x;
    return x < 1.0 ? x : 0.0;  // -1e-17 + 1 is 1
}

/// Where the particles of one row of a displaced lattice are on a periodic mesh.
///
/// Particle (i, j, k) of n^3 starts at ((i + 0.5) / n, ...); nodes are at i / side. In float32, and
/// in loops that vectorize: a position is right to 1e-7 of the box.
class RowOnMesh {
public:
    RowOnMesh(const float* displacement, std::size_t n, std::size_t side)
        : displacement_(displacement), n_(n), side_(static_cast<std::int32_t>(side)) {
        for (Axis& axis : axes_) {
            axis.low.resize(n);
            axis.high.resize(n);
            axis.above.resize(n);
        }
    }

    void locate(std::size_t i, std::size_t j) noexcept {
        const std::size_t n_particles = n_ * n_ * n_, first = (i * n_ + j) * n_;
        const float spacing = 1.0F / static_cast<float>(n_);
        const std::array<float, 2> start = {(static_cast<float>(i) + 0.5F) * spacing,
                                            (static_cast<float>(j) + 0.5F) * spacing};
        for (std::size_t axis = 0; axis < 2; ++axis) {
            const float* const psi = displacement_ + axis * n_particles + first;
            for (std::size_t k = 0; k < n_; ++k) place(axes_[axis], k, start[axis] + psi[k]);
        }
        const float* const psi = displacement_ + 2 * n_particles + first;
        for (std::size_t k = 0; k < n_; ++k)
            place(axes_[2], k, (static_cast<float>(k) + 0.5F) * spacing + psi[k]);
    }

    /// Calls visit(flat node, weight) for the eight nodes around particle k, in a fixed order.
    template <typename Visit>
    void for_each_node(std::size_t k, const Visit& visit) const {
        const auto x = axes_[0].pair(k), y = axes_[1].pair(k), z = axes_[2].pair(k);
        const auto side = static_cast<std::size_t>(side_);
        const auto along_z = [&](std::size_t i, std::size_t j, float weight) {
            const std::size_t row = (i * side + j) * side;
            visit(row + z.low, weight * (1.0F - z.above));
            visit(row + z.high, weight * z.above);
        };
        along_z(x.low, y.low, (1.0F - x.above) * (1.0F - y.above));
        along_z(x.low, y.high, (1.0F - x.above) * y.above);
        along_z(x.high, y.low, x.above * (1.0F - y.above));
        along_z(x.high, y.high, x.above * y.above);
    }

private:
    /// Two neighboring nodes that share a particle along one axis, and the share of the higher one.
    struct NodePair {
        std::size_t low;
        std::size_t high;
        float above;
    };

    struct Axis {
        std::vector<std::int32_t> low;
        std::vector<std::int32_t> high;
        std::vector<float> above;

        [[nodiscard]] NodePair pair(std::size_t k) const noexcept {
            return {static_cast<std::size_t>(low[k]), static_cast<std::size_t>(high[k]), above[k]};
        }
    };

    void place(Axis& axis, std::size_t k, float x) const noexcept {
        x -= static_cast<float>(static_cast<std::int32_t>(x));
        x = x < 0.0F ? x + 1.0F : x;  // at most 1, by rounding
        const float scaled = x * static_cast<float>(side_);
        const auto node = static_cast<std::int32_t>(scaled);
        axis.above[k] = scaled - static_cast<float>(node);
        axis.low[k] = node < side_ ? node : node - side_;
        axis.high[k] = node + 1 < side_ ? node + 1 : node + 1 - side_;
    }

    const float* displacement_;
    std::size_t n_;
    std::int32_t side_;
    std::array<Axis, 3> axes_;
};

}  // namespace mapkernels
