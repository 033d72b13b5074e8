#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "mapkernels/parallel.hpp"
#include "mapkernels/particles.hpp"

namespace mapkernels {

namespace {

/// Into [0, 1), by truncation: SSE2 converts to integers but has no floor. |x| < 2^31.
double wrap(double x) noexcept {
    x -= static_cast<double>(static_cast<std::int32_t>(x));
    x = x < 0.0 ? x + 1.0 : x;
    return x < 1.0 ? x : 0.0;  // -1e-17 + 1 is 1
}

/// Where the elements of one axis lie between lattice points.
struct AxisWeights {
    std::vector<std::size_t> low;  ///< lattice point below, plus 1: 0 is the wrapped last point
    std::vector<double> above;     ///< weight of the point above it
};

AxisWeights axis_weights(std::size_t n, std::size_t refine) {
    AxisWeights weights{std::vector<std::size_t>(n * refine), std::vector<double>(n * refine)};
    for (std::size_t i = 0; i < n * refine; ++i) {
        const double x = (static_cast<double>(i) + 0.5) / static_cast<double>(refine) + 0.5;
        weights.low[i] = static_cast<std::size_t>(x);
        weights.above[i] = x - static_cast<double>(weights.low[i]);
    }
    return weights;
}

/// Particles that have passed a neighbor along the axis that they share: 1 where they have.
std::vector<std::uint8_t> find_crossed(const float* displacement, std::size_t n) {
    const std::size_t n_points = n * n * n;
    const std::array<std::size_t, n_axes> stride = {n * n, n, 1};
    std::vector<std::uint8_t> crossed(n_points);
    for (std::size_t axis = 0; axis < n_axes; ++axis) {
        const float* const psi = displacement + axis * n_points;
        for (std::size_t point = 0; point < n_points; ++point) {
            const bool last = point / stride[axis] % n == n - 1;
            const std::size_t next = last ? point - (n - 1) * stride[axis] : point + stride[axis];
            const double apart = static_cast<double>(psi[next]) - static_cast<double>(psi[point]);
            if (1.0 + static_cast<double>(n) * apart < 0.0) crossed[point] = crossed[next] = 1;
        }
    }
    return crossed;
}

/// Elements that share their first two coordinates before they move.
struct ElementRow {
    std::size_t length = 0;                            ///< of the arrays, as far as they are used
    double weight = 1.0;                               ///< of each, in elements
    std::array<std::vector<double>, n_axes> position;  ///< in [0, 1)
    std::vector<double> speed;
};

/// Interpolates displacement and speed to one row of elements at a time.
///
/// Rows are blended along axes 0 and 1 first, over n points; then n refine elements need
/// two points each. Elements of a particle that has crossed stay with it.
class Mover {
public:
    Mover(const float* displacement, const float* speed, std::size_t n, std::size_t refine)
        : displacement_(displacement),
          speed_(speed),
          n_(n),
          refine_(refine),
          crossed_(find_crossed(displacement, n)),
          weights_(axis_weights(n, refine)),
          blended_(n + 2),
          moved_(n * refine),
          kept_(n * refine + 1) {
        row_.speed.resize(n_elements());
        for (auto& position : row_.position) position.resize(n_elements());
    }

    [[nodiscard]] std::size_t n_elements() const noexcept { return weights_.low.size(); }

    /// The elements (i, j, ...) whose particles have not crossed, where interpolation puts them.
    const ElementRow& move_elements(std::size_t i, std::size_t j) {
        keep((i / refine_ * n_ + j / refine_) * n_, std::uint8_t{0}, refine_);
        const double spacing = 1.0 / static_cast<double>(n_elements());
        const std::array<std::size_t, 2> row = {i, j};
        for (std::size_t axis = 0; axis < n_axes; ++axis) {
            interpolate(displacement_ + axis * n_ * n_ * n_, i, j);
            double* const position = row_.position[axis].data();
            for (std::size_t m = 0; m < row_.length; ++m) {
                const std::size_t along = axis < 2 ? row[axis] : kept_[m];
                position[m] = wrap((static_cast<double>(along) + 0.5) * spacing + moved_[kept_[m]]);
            }
        }
        interpolate(speed_, i, j);
        for (std::size_t m = 0; m < row_.length; ++m) row_.speed[m] = moved_[kept_[m]];
        row_.weight = 1.0;
        return row_;
    }

    /// The particles (i, j, ...) that have crossed, each with all its elements.
    const ElementRow& move_particles(std::size_t i, std::size_t j) {
        const std::size_t first = (i * n_ + j) * n_;
        keep(first, std::uint8_t{1}, 1);
        const std::array<std::size_t, 2> row = {i, j};
        for (std::size_t axis = 0; axis < n_axes; ++axis) {
            const float* const psi = displacement_ + axis * n_ * n_ * n_ + first;
            for (std::size_t m = 0; m < row_.length; ++m) {
                const std::size_t along = axis < 2 ? row[axis] : kept_[m];
                const double start = (static_cast<double>(along) + 0.5) / static_cast<double>(n_);
                row_.position[axis][m] = wrap(start + static_cast<double>(psi[kept_[m]]));
            }
        }
        for (std::size_t m = 0; m < row_.length; ++m)
            row_.speed[m] = static_cast<double>(speed_[first + kept_[m]]);
        row_.weight = static_cast<double>(refine_ * refine_ * refine_);
        return row_;
    }

private:
    /// kept_ = places along a row, `per_particle` for each particle that has crossed or has not.
    void keep(std::size_t first, std::uint8_t crossed, std::size_t per_particle) noexcept {
        row_.length = 0;
        for (std::size_t k = 0; k < n_ * per_particle; ++k) {
            kept_[row_.length] = k;
            row_.length += crossed_[first + k / per_particle] == crossed ? 1 : 0;
        }
    }

    /// moved_ = a row of the lattice at element coordinates (i, j), at the elements along it.
    void interpolate(const float* lattice, std::size_t i, std::size_t j) noexcept {
        blend(lattice, i, j);
        for (std::size_t k = 0; k < n_elements(); ++k) {
            const double* const point = blended_.data() + weights_.low[k];
            moved_[k] = (1.0 - weights_.above[k]) * point[0] + weights_.above[k] * point[1];
        }
    }

    /// blended_ = row of the lattice at element coordinates (i, j), with one wrapped
    /// point at each end.
    void blend(const float* lattice, std::size_t i, std::size_t j) noexcept {
        const std::size_t i_low = (weights_.low[i] + n_ - 1) % n_, i_high = weights_.low[i] % n_;
        const std::size_t j_low = (weights_.low[j] + n_ - 1) % n_, j_high = weights_.low[j] % n_;
        const double x = weights_.above[i], y = weights_.above[j];
        const float* const a = lattice + (i_low * n_ + j_low) * n_;
        const float* const b = lattice + (i_low * n_ + j_high) * n_;
        const float* const c = lattice + (i_high * n_ + j_low) * n_;
        const float* const d = lattice + (i_high * n_ + j_high) * n_;
        double* const out = blended_.data() + 1;
        for (std::size_t k = 0; k < n_; ++k)
            out[k] = (1.0 - x) *
                         ((1.0 - y) * static_cast<double>(a[k]) + y * static_cast<double>(b[k])) +
                     x * ((1.0 - y) * static_cast<double>(c[k]) + y * static_cast<double>(d[k]));
        blended_.front() = blended_[n_];
        blended_.back() = blended_[1];
    }

    const float* displacement_;
    const float* speed_;
    std::size_t n_;
    std::size_t refine_;
    std::vector<std::uint8_t> crossed_;
    AxisWeights weights_;
    std::vector<double> blended_;
    std::vector<double> moved_;
    std::vector<std::size_t> kept_;
    ElementRow row_;
};

/// Two neighboring pixels that share an element along one axis.
struct PixelPair {
    std::size_t low;
    std::size_t high;
    double above;  ///< share of `high`

    PixelPair(double x, std::size_t side) noexcept {
        const double from_first =
            x * static_cast<double>(side) + 0.5;  // 1 at the center of pixel 0
        const auto cell = static_cast<std::size_t>(static_cast<std::int64_t>(from_first));
        above = from_first - static_cast<double>(static_cast<std::int64_t>(cell));
        low = cell == 0 ? side - 1 : cell - 1;
        high = cell == side ? 0 : cell;
    }
};

/// Mass and momentum in the slabs of one axis.
class Slabs {
public:
    Slabs(std::size_t axis, std::size_t n_slabs, std::size_t side)
        : across_(axis),
          rows_(axis == 0 ? 1 : 0),
          columns_(axis == 2 ? 1 : 2),
          n_slabs_(n_slabs),
          side_(side),
          sums_(n_slabs * side * side) {}

    void add(const ElementRow& row) noexcept {
        const double* const across = row.position[across_].data();
        const double* const rows = row.position[rows_].data();
        const double* const columns = row.position[columns_].data();
        for (std::size_t k = 0; k < row.length; ++k) {
            const auto slab = static_cast<std::size_t>(
                static_cast<std::int64_t>(static_cast<double>(n_slabs_) * across[k]));
            const PixelPair i(rows[k], side_), j(columns[k], side_);
            Sum* const pixels = sums_.data() + std::min(slab, n_slabs_ - 1) * side_ * side_;
            Sum* const low = pixels + i.low * side_;
            Sum* const high = pixels + i.high * side_;
            const double to_low = row.weight * (1.0 - i.above), to_high = row.weight * i.above;
            low[j.low].add(to_low * (1.0 - j.above), row.speed[k]);
            low[j.high].add(to_low * j.above, row.speed[k]);
            high[j.low].add(to_high * (1.0 - j.above), row.speed[k]);
            high[j.high].add(to_high * j.above, row.speed[k]);
        }
    }

    void write(double element_mass, float* mass, float* speed) const noexcept {
        for (std::size_t i = 0; i < sums_.size(); ++i) {
            const Sum& sum = sums_[i];
            mass[i] = static_cast<float>(sum.weight * element_mass);
            speed[i] = sum.weight > 0.0 ? static_cast<float>(sum.momentum / sum.weight) : 0.0F;
        }
    }

private:
    /// Side by side in 16 bytes, so that both are one load, one addition and one store.
    struct alignas(16) Sum {
        double weight = 0.0;
        double momentum = 0.0;

        void add(double share, double element_speed) noexcept {
            weight += share;
            momentum += share * element_speed;
        }
    };

    std::size_t across_;
    std::size_t rows_;
    std::size_t columns_;
    std::size_t n_slabs_;
    std::size_t side_;
    std::vector<Sum> sums_;
};

}  // namespace

void deposit_slabs(const float* displacement, const float* speed, std::size_t n, std::size_t refine,
                   std::size_t n_slabs, std::size_t side, int n_threads, float* mass,
                   float* mean_speed) {
    const std::size_t n_elements = n * refine;
    const double total = std::pow(static_cast<double>(n_elements), 3);
    const double element_mass = static_cast<double>(n_slabs * side * side) / total;
    // Each thread moves the elements itself, so that none waits for another.
    for_each_block(n_axes, n_threads, [&](std::size_t first, std::size_t last) {
        Mover mover(displacement, speed, n, refine);
        std::vector<Slabs> slabs;
        for (std::size_t axis = first; axis < last; ++axis) slabs.emplace_back(axis, n_slabs, side);
        const auto add = [&](const ElementRow& row) {
            for (Slabs& each : slabs) each.add(row);
        };
        for (std::size_t i = 0; i < n_elements; ++i)
            for (std::size_t j = 0; j < n_elements; ++j) add(mover.move_elements(i, j));
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t j = 0; j < n; ++j) add(mover.move_particles(i, j));
        for (std::size_t axis = first; axis < last; ++axis) {
            const std::size_t offset = axis * n_slabs * side * side;
            slabs[axis - first].write(element_mass, mass + offset, mean_speed + offset);
        }
    });
}

}  // namespace mapkernels
