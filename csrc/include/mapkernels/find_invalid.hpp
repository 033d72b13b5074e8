#pragma once

#include <atomic>
#include <cstddef>
#include <limits>

namespace mapkernels {

/// "Every pixel is valid."
constexpr std::size_t none_invalid = std::numeric_limits<std::size_t>::max();

/// Index of the first of n values that is NaN, infinite, negative or, unless allow_zero, zero (of
/// either sign); none_invalid if there is none.
std::size_t find_invalid(const float* x, std::size_t n, bool allow_zero);

/// The same over n_maps * n_pixels values; the answer does not depend on n_threads.
std::size_t find_invalid(const float* maps, std::size_t n_maps, std::size_t n_pixels,
                         bool allow_zero, int n_threads);

/// The smallest of the indices that threads report; so it does not matter who reports first.
class FirstIndex {
public:
    void report(std::size_t index) noexcept {
        std::size_t known = first_.load();
        while (index < known && !first_.compare_exchange_weak(known, index)) {
        }
    }
    [[nodiscard]] std::size_t get() const noexcept { return first_.load(); }

private:
    std::atomic<std::size_t> first_{none_invalid};
};

}  // namespace mapkernels
