#include "mapkernels/logarithm.hpp"

#include "loops/in_use.hpp"

namespace mapkernels {

void log10(const float* x, std::size_t n, float* out) { loops_in_use().log10(x, n, out); }

void log10p1(const float* x, std::size_t n, float* out) { loops_in_use().log10p1(x, n, out); }

}  // namespace mapkernels
