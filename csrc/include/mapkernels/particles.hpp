#pragma once

#include <cstddef>

namespace mapkernels {

constexpr std::size_t n_axes = 3;

/// Displacements beyond this are refused, so that positions fit 32-bit integers. [box sides]
constexpr float max_displacement = 1000.0F;

/// Moves a lattice of mass elements and projects them onto slabs along each of three axes.
///
/// (n refine)^3 elements at ((i + 0.5) / (n refine)) in a periodic unit box move by `displacement`
/// (3, n, n, n), interpolated trilinearly from its lattice of particles at ((i + 0.5) / n), as is
/// `speed` (n, n, n). Where a particle has passed a neighbor along an axis, there is nothing to
/// interpolate: its elements stay with it. Slab floor(n_slabs x) of each axis is projected onto
/// side x side pixels of the two other axes, in increasing order, by cloud-in-cell; pixel centers
/// are at (i + 0.5) / side. Map number = axis * n_slabs + slab.
///
/// `mass` (3 n_slabs, side, side) is normalized to a mean of 1 over the slabs of an axis;
/// `mean_speed` is the mass-weighted mean of the elements' speed, 0 where there is no mass. Sums
/// are in double and each axis is one thread's, in one order: the result does not depend on
/// n_threads (more than 3 are of no use). Preconditions (checked by the caller): n, refine,
/// n_slabs, side >= 1, n refine < 2^21; |displacement| <= max_displacement; speed >= 0 and finite;
/// arrays do not overlap. Memory: 16 * n_slabs * side^2 bytes per axis.
void deposit_slabs(const float* displacement, const float* speed, std::size_t n, std::size_t refine,
                   std::size_t n_slabs, std::size_t side, int n_threads, float* mass,
                   float* mean_speed);

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
