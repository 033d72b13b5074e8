#pragma once

#include <string>
#include <vector>

namespace mapkernels {

/// Sets of instructions that the hot loops are compiled for, the widest last.
///
/// `portable` is what every machine of its kind has: SSE2 on x86-64, NEON on 64-bit Arm. `avx2`
/// (with FMA and F16C) and `avx512` (F, BW, DQ, VL) exist on x86-64 alone. The widest that the
/// machine has is chosen, or what the environment variable MAPKERNELS_INSTRUCTIONS names. Within
/// one set results are the same on every machine and for every n_threads; two sets may differ in
/// the last digits, because one has fused multiply-adds or sums in more lanes than the other.
enum class Instructions { portable, avx2, avx512 };

std::string name_of(Instructions instructions);

/// Those compiled in that this machine has; `portable` first.
std::vector<Instructions> available_instructions();

/// Those in use. Throws std::invalid_argument if MAPKERNELS_INSTRUCTIONS names none available.
Instructions instructions();

/// Use others, from the next call of a kernel on, in every thread. Throws std::invalid_argument if
/// `name` is of none that is available.
void set_instructions(const std::string& name);

}  // namespace mapkernels
