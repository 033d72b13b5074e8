#include <cstring>
#include <limits>

#include "check.hpp"
#include "mapkernels/logarithm.hpp"

using mapkernels::tests::check;
using mapkernels::tests::Fuzzer;

namespace {

constexpr double max_ulp = 2.0;

double ulp_of(double value) {
    const auto rounded = static_cast<float>(std::abs(value));
    return static_cast<double>(std::nextafter(rounded, std::numeric_limits<float>::infinity())) -
           static_cast<double>(rounded);
}

void check_one(float x, float ours, double answer, const std::string& name) {
    const std::string what = name + "(" + std::to_string(x) + ") = " + std::to_string(ours);
    if (std::isnan(answer)) {
        check(std::isnan(ours), what + ", expected NaN");
    } else if (std::isinf(answer) || answer == 0.0) {
        check(static_cast<double>(ours) == answer, what);
    } else {
        check(std::abs(static_cast<double>(ours) - answer) <= max_ulp * ulp_of(answer), what);
    }
}

/// Every bit pattern is a float: normal, denormal, infinite or NaN, of either sign.
void any_float() {
    Fuzzer fuzzer;
    for (std::size_t n = 0; n < 3000; n += 1 + n / 7) {
        std::vector<float> x(n), log10_of(n), log10p1_of(n);
        for (float& value : x) {
            const auto bits = static_cast<std::uint32_t>(fuzzer.integer(0, 0xffffffffU));
            std::memcpy(&value, &bits, sizeof value);
        }
        mapkernels::log10(x.data(), n, log10_of.data());
        mapkernels::log10p1(x.data(), n, log10p1_of.data());
        for (std::size_t i = 0; i < n; ++i) {
            const auto exact = static_cast<double>(x[i]);
            check_one(x[i], log10_of[i], std::log10(exact), "log10");
            check_one(x[i], log10p1_of[i], std::log1p(exact) / std::log(10.0), "log10p1");
        }
    }
}

void near_one() {
    std::vector<float> x(200000), out(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = 0.5F + static_cast<float>(i) * 1e-5F;
    mapkernels::log10(x.data(), x.size(), out.data());
    for (std::size_t i = 0; i < x.size(); ++i)
        check_one(x[i], out[i], std::log10(static_cast<double>(x[i])), "log10");
}

}  // namespace

int main() { mapkernels::tests::with_all_instructions(any_float, near_one); }
