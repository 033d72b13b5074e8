#include "mapkernels/logarithm.hpp"

#include "simd/dispatch.hpp"

namespace mapkernels {

void log10(const float* x, std::size_t n, float* out) { kernel_table().log10(x, n, out); }

void log10p1(const float* x, std::size_t n, float* out) { kernel_table().log10p1(x, n, out); }

}  // namespace mapkernels
