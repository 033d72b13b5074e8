#include "mapkernels/find_invalid.hpp"

#include <algorithm>

#include "mapkernels/parallel.hpp"

namespace mapkernels {

namespace {

/// Pixels looked at together before asking whether one was invalid; 4 KiB of them.
constexpr std::size_t block_size = 1024;

/// Written so that NaN, for which every comparison is false, is invalid; & keeps it free
/// of branches.
template <bool allow_zero>
int is_invalid(float x) noexcept {
    const int large_enough = static_cast<int>(allow_zero ? x >= 0.0F : x > 0.0F);
    return 1 - (large_enough & static_cast<int>(x <= std::numeric_limits<float>::max()));
}

template <bool allow_zero>
std::size_t find(const float* x, std::size_t n) noexcept {
    for (std::size_t begin = 0; begin < n; begin += block_size) {
        const std::size_t end = std::min(begin + block_size, n);
        int any = 0;
        for (std::size_t i = begin; i < end; ++i) any |= is_invalid<allow_zero>(x[i]);
        if (any == 0) continue;
        std::size_t i = begin;
        while (is_invalid<allow_zero>(x[i]) == 0) ++i;
        return i;
    }
    return none_invalid;
}

}  // namespace

std::size_t find_invalid(const float* x, std::size_t n, bool allow_zero) noexcept {
    return allow_zero ? find<true>(x, n) : find<false>(x, n);
}

std::size_t find_invalid(const float* maps, std::size_t n_maps, std::size_t n_pixels,
                         bool allow_zero, int n_threads) {
    FirstIndex first;
    for_each_block(n_maps, n_threads, [&](std::size_t begin, std::size_t end) {
        const std::size_t index =
            find_invalid(maps + begin * n_pixels, (end - begin) * n_pixels, allow_zero);
        if (index != none_invalid) first.report(begin * n_pixels + index);
    });
    return first.get();
}

}  // namespace mapkernels
