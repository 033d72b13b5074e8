#include "mapkernels/instructions.hpp"

#if defined(MAPKERNELS_X86)
#include <cpuid.h>
#endif

#include <atomic>
#include <cstdlib>
#include <stdexcept>

#include "loops/hot_loops.hpp"

namespace mapkernels {

namespace {

constexpr const char* variable = "MAPKERNELS_INSTRUCTIONS";

struct InstructionSet {
    std::string name;
    const HotLoops* loops;
};

std::vector<InstructionSet> find_available() {
    std::vector<InstructionSet> sets = {{"portable", &portable_loops}};
#if defined(MAPKERNELS_X86)
    __builtin_cpu_init();
    // Clang 14's __builtin_cpu_supports does not know the conversion of 16-bit floats.
    unsigned a = 0, b = 0, c = 0, d = 0;
    const bool has_f16c = __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
    // These ask the operating system too, which must save the wider registers.
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c;
    if (avx2) sets.push_back({"avx2", &avx2_loops});
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        sets.push_back({"avx512", &avx512_loops});
#endif
    return sets;
}

const std::vector<InstructionSet>& available() {
    static const std::vector<InstructionSet> sets = find_available();
    return sets;
}

const InstructionSet* find(const std::string& name, const std::string& source) {
    std::string names;
    for (const InstructionSet& set : available()) {
        if (name == set.name) return &set;
        names += (names.empty() ? "" : ", ") + set.name;
    }
    throw std::invalid_argument(source + ": Expected one of " + names + ", got '" + name + "'.");
}

const InstructionSet* first_choice() {
    const char* const name = std::getenv(variable);
    return name == nullptr ? &available().back() : find(name, variable);
}

std::atomic<const InstructionSet*>& in_use() {
    static std::atomic<const InstructionSet*> set{first_choice()};
    return set;
}

}  // namespace

std::vector<std::string> available_instructions() {
    std::vector<std::string> names;
    for (const InstructionSet& set : available()) names.push_back(set.name);
    return names;
}

std::string instructions() { return in_use().load()->name; }

void set_instructions(const std::string& name) { in_use().store(find(name, "instructions")); }

const HotLoops& hot_loops() { return *in_use().load()->loops; }

}  // namespace mapkernels
