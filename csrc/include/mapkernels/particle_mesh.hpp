#pragma once

#include <cstddef>

namespace mapkernels {

/// Spreads the particles of a displaced lattice over a periodic mesh, by cloud-in-cell.
///
/// Particle (i, j, k) of n^3 starts at ((i + 0.5) / n, ...) in a periodic unit box and moves by
/// `displacement` (3, n, n, n). Nodes of the mesh are at i / side. `density` (side, side, side) has
/// a mean of 1. Sums are in float32, in the order of the particles. A displacement beyond
/// max_displacement, or NaN, is taken for 0: what another thread writes meanwhile does no harm.
/// Preconditions (checked by the caller): n, side >= 1; arrays do not overlap. Memory: 4 side^3
/// bytes.
void deposit_mesh(const float* displacement, std::size_t n, std::size_t side, float* density);

/// Minus the gradient of a potential on a mesh, at the particles of a displaced lattice.
///
/// The gradient is a four-point difference on the mesh, interpolated by cloud-in-cell: with
/// `deposit_mesh` and a symmetric potential the particles exert no net force on themselves. Lengths
/// are in units of the box. `acceleration` is (3, n, n, n). Preconditions as above; side >= 1.
/// Memory: 16 side^3 bytes.
void accelerate(const float* displacement, std::size_t n, const float* potential, std::size_t side,
                float* acceleration);

}  // namespace mapkernels
