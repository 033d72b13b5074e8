#include "mapkernels/instructions.hpp"

#if defined(MAPKERNELS_X86)
#include <cpuid.h>
#endif

#include <atomic>
#include <cstdlib>
#include <stdexcept>

#include "dispatch.hpp"

namespace mapkernels {

namespace {

constexpr const char* variable = "MAPKERNELS_INSTRUCTIONS";

const KernelTable& table_of(Instructions instructions) noexcept {
#if defined(MAPKERNELS_X86)
    if (instructions == Instructions::avx512) return avx512_kernels();
    if (instructions == Instructions::avx2) return avx2_kernels();
#else
    static_cast<void>(instructions);
#endif
    return portable_kernels();
}

#if defined(MAPKERNELS_X86)
/// Whether the machine converts 16-bit floats; Clang 14's __builtin_cpu_supports does not know.
bool has_f16c() noexcept {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}
#endif

Instructions find(const std::string& name, const std::string& source) {
    std::string names;
    for (const Instructions known : available_instructions()) {
        if (name == name_of(known)) return known;
        names += (names.empty() ? "" : ", ") + name_of(known);
    }
    throw std::invalid_argument(source + ": expected one of " + names + ", got '" + name + "'");
}

Instructions first_choice() {
    const char* const name = std::getenv(variable);
    return name == nullptr ? available_instructions().back() : find(name, variable);
}

std::atomic<Instructions>& choice() {
    static std::atomic<Instructions> chosen{first_choice()};
    return chosen;
}

}  // namespace

std::string name_of(Instructions instructions) {
    switch (instructions) {
        case Instructions::avx512:
            return "avx512";
        case Instructions::avx2:
            return "avx2";
        case Instructions::portable:
            break;
    }
    return "portable";
}

std::vector<Instructions> available_instructions() {
    std::vector<Instructions> available = {Instructions::portable};
#if defined(MAPKERNELS_X86)
    __builtin_cpu_init();
    // These ask the operating system too, which must save the wider registers.
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
    if (avx2) available.push_back(Instructions::avx2);
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        available.push_back(Instructions::avx512);
#endif
    return available;
}

Instructions instructions() { return choice().load(); }

void set_instructions(const std::string& name) { choice().store(find(name, "instructions")); }

const KernelTable& kernel_table() { return table_of(instructions()); }

}  // namespace mapkernels
