#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "mapkernels/instructions.hpp"

/// What the tests share. Each test is a program: it exits with 1 at the first check that
/// fails. Arrays are vectors of exactly the size the contract asks for, so that a sanitizer
/// sees one pixel too far.
namespace mapkernels::tests {

inline void check(bool holds, const std::string& what) {
    if (holds) return;
    std::fprintf(stderr, "failed: %s\n", what.c_str());
    std::exit(EXIT_FAILURE);
}

inline void check_close(double ours, double answer, double relative, const std::string& what) {
    check(std::abs(ours - answer) <= relative * std::abs(answer),
          what + ": expected " + std::to_string(answer) + ", got " + std::to_string(ours));
}

/// Runs the tests with each set of instructions that this machine has.
template <typename... Tests>
void with_all_instructions(const Tests&... tests) {
    for (const std::string& available : available_instructions()) {
        set_instructions(available);
        std::fprintf(stderr, "%s\n", available.c_str());
        (tests(), ...);
    }
}

/// Shapes and values at random, the same in every run.
class Fuzzer {
public:
    std::size_t integer(std::size_t low, std::size_t high) {
        return std::uniform_int_distribution<std::size_t>(low, high)(engine_);
    }

    double real(double low, double high) {
        return std::uniform_real_distribution<double>(low, high)(engine_);
    }

    /// Log-normal: positive and of high contrast, as surface densities are.
    std::vector<float> positive(std::size_t n) {
        std::lognormal_distribution<float> draw(25.0F, 1.5F);
        std::vector<float> values(n);
        for (float& value : values) value = draw(engine_);
        return values;
    }

private:
    std::mt19937_64 engine_{20261124};
};

}  // namespace mapkernels::tests
