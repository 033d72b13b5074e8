#pragma once

#include <string>
#include <vector>

namespace mapkernels {

// The hot loops are compiled for several sets of instructions. `portable` is what every machine of
// its kind has: SSE2 on x86-64, NEON on 64-bit Arm. `avx2` (with FMA and F16C) and `avx512` (F, BW,
// DQ, VL) exist on x86-64 alone. The widest that the machine has is used, or what the environment
// variable MAPKERNELS_INSTRUCTIONS names. Within one set results are the same on every machine and
// for every n_threads. Those of two sets may differ in the last digits: one has fused
// multiply-adds, or sums in more lanes.

/// Sets that this machine has; `portable` first, the widest last.
std::vector<std::string> available_instructions();

/// The set in use. Throws std::invalid_argument if MAPKERNELS_INSTRUCTIONS names none available.
std::string instructions();

/// Use another set, from the next call of a kernel on, in every thread. Throws
/// std::invalid_argument if `name` is of none that is available.
void set_instructions(const std::string& name);

}  // namespace mapkernels
