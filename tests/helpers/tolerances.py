"""Every tolerance of the tests, with its derivation or measurement."""

import numpy as np

EPS32 = float(np.finfo(np.float32).eps)  # 1.2e-7
SMALLEST_NORMAL = float(np.finfo(np.float32).tiny)  # 1.2e-38; below it floats have fewer bits

MOMENTS_RTOL = 1e-9  # means and standard deviations are summed in double: 1e6 pixels x 1e-16
# [dex] log10 to 2 ulp, where floats of 8 to 16 are 2^-20 apart, is 1.9e-6; smoothing to 2e-6
# relative is 9e-7 dex: 2.8e-6 at worst.
LOG_MAP_ATOL = 3e-6
# To the nearest in 16 bits: half a unit in the last of float16's 11 bits and bfloat16's 8.
FLOAT16_RTOL = 2**-11
BFLOAT16_RTOL = 2**-8

# ---- time ----

# [s] For what must come to an end: only what hangs takes as long, however slow and busy the machine is.
TIME_LIMIT = 1800.0

# ---- kernels ----

# Against float64, relative, on positive maps. Two passes in float32, summed from the outside in: on an
# even map the partial sums add up to 0.8 width, so the error is at most (0.8 width + 3) eps32 / 2 a
# pass, 8e-7 in all at width 5. Measured 4e-7 at widths to 20 pixels, 6e-7 at 50.
SMOOTH_RTOL = 2e-6
# The weights are rounded to float32, so their sum is off by eps32 / 2 a pass at most; the rounding of
# pixels averages out, unless there are few. Measured 7e-8 on 64 x 64 pixels.
SMOOTH_MEAN_RTOL = 5e-7
# Truncation at 4 sigma leaves out exp(-8) = 3e-4 of the peak. Measured 1.4e-4 at widths 1 and 1.
SMOOTH_SEMIGROUP_L2 = 2e-4
# The same truncation, for k < pi / 4: measured 9e-6 at 1 pixel, 9e-5 at 4.
SMOOTH_TRANSFER_ATOL = 1e-4
# Of float32. Measured over every float of the worst binades: 1.2 for log10, 1.9 for log10(1 + x).
LOG_ULP = 2.0
# Between that and NumPy's own log10 of float32, which is right to 1 ulp.
LOG_ULP_AGAINST_NUMPY = 3
# Of float32: two sums in float64 that differ by 1e-16 can lie on both sides of a rounding edge.
ROUNDING_ULP = 1
# One rounding to float32, of numbers that float64 holds: eps32 / 2, and a margin.
ROUNDING_RTOL = EPS32
# A pixel of a log map without its mean is up to 4 in size, so rounded by 2 eps32 at most.
MONOPOLE_ATOL = 2 * EPS32
# Standardized maps of normal pixels, up to 20 in size, rounded once more on one of two ways: 20 eps32, and
# a margin.
SCALED_TWICE_ATOL = 40 * EPS32
# Sums in float64 in another order, rounded once to float32: eps32, and a margin.
DEPOSIT_RTOL = 1e-6
# A displacement of 1 + psi keeps psi to eps32 / 2 box sides: 5e-7 of 8 pixels. A pixel holds about 4
# elements of mass 0.3, and no element of this seed lies so near the edge of a slab.
DEPOSIT_SHIFT_ATOL = 1e-5

# Of the largest node, or of the largest force. A position of up to 4 box sides is rounded by 2^-22, which
# is 2e-6 of a cell of a mesh of 9 nodes; sums of some ten particles in float32 add 1e-6.
MESH_RTOL = 1e-5

# ---- networks ----

# Relative to the largest output. Nineteen convolutions in float32, the longest sum of 12,288 products, are
# 2e-6 from float64 at 256 pixels, whoever computes them; two that sum in another order
# may be twice as far apart.
NETWORK_RTOL = 1e-5
# Fourth powers of float32 numbers of order 1, averaged over some hundred pixels in another order, and 1e-6
# added to variances of 0.1 and more.
STATISTICS_ATOL = 2e-5
# PyTorch's kernels for channels_last sum otherwise: measured 8e-6 from float64.
CHANNELS_LAST_RTOL = 3e-5

# Sums of 2^16 float32 values one after another lose eps32 / 2 a step at random: eps32 / 2 x 2^8 / sqrt(3),
# 1e-5, of which pieces and threads take the average. Measured 7e-6; PyTorch's own sums 1e-3 at 4 M values.
BATCH_MOMENTS_RTOL = 2e-5

# Losses of the first steps against a plain network's. The loss is a logarithm, and layers of few pixels are
# normalized over 16 maps: measured 4e-5 at most with random weights.
FIRST_LOSSES_RTOL = 1e-4
# The same, each convolution rounded to 2^-9: measured 2e-2 with 16 maps, 3e-3 with 128.
BFLOAT16_LOSS_RTOL = 6e-2
# Of the largest output, with random weights: measured 2e-2 at most.
BFLOAT16_NETWORK_RTOL = 5e-2
# Twenty updates, each rounded in another order of operations, of weights' own size: 20 eps32, doubled.
FUSED_OPTIMIZER_RTOL = 40 * EPS32

# ---- power spectra ----

# Transforms in float64 of maps about 11 with a scatter of 1: a mode is rounded by a few 1e-16 of the sum
# of 4,096 pixels of 11, of which it has 64: 1e-12 at most, doubled by the square.
SPECTRUM_RTOL = 1e-11

# ---- MockGaussian ----

# [standard deviations] Against Simpson's rule on 601 x 601 points over the prior, which is the coarser:
# measured 3e-7 in a corner, 1e-12 in the middle. With 96 nodes instead of 64: 4e-10.
POSTERIOR_ATOL = 1e-6

# ---- attributions ----

# Of the largest change of the answer, with 256 points. LeakyReLU's kinks make the gradient jump on the line,
# so that the error falls as 1 / points and no faster: of four random networks measured 0.1 to 2 %, with 64
# points 0.6 to 6 %, with 1,024 0.04 to 0.4 %.
INTEGRATED_GRADIENTS_RTOL = 0.02
