#pragma once

#include "hot_loops.hpp"
#include "vectors.hpp"

namespace mapkernels {
namespace {

/// out[j] = sum_k weight[|k|] v(radius + j + k) for j = 0..3 and -radius <= k <= radius.
///
/// Mirrored pairs are added first. From the outside in, so that the small terms are added while the
/// sum is small: the rounding error then hardly grows with the radius. Neighboring sums share all
/// but one of their vectors; these move through the registers a.. and b.. as k falls, so that four
/// pairs cost two loads.
/// v(i) are successive vectors from `first` on.
inline void add_pairs(const float* first, const float* weight, std::size_t radius,
                      Floats* out) noexcept {
    const auto v = [first](std::size_t i) { return load(first + i * n_lanes); };
    Floats s0{}, s1{}, s2{}, s3{};
    std::size_t k = radius;
    for (; k % 4 != 0; --k) {
        const std::size_t low = radius - k, high = radius + k;
        s0 += weight[k] * (v(low) + v(high));
        s1 += weight[k] * (v(low + 1) + v(high + 1));
        s2 += weight[k] * (v(low + 2) + v(high + 2));
        s3 += weight[k] * (v(low + 3) + v(high + 3));
    }
    std::size_t low = radius - k, high = radius + k;
    Floats a0 = v(low), a1 = v(low + 1), a2 = v(low + 2), a3 = v(low + 3);
    Floats b0 = v(high), b1 = v(high + 1), b2 = v(high + 2), b3 = v(high + 3);
    for (; k > 0; k -= 4, low += 4, high -= 4) {
        s0 += weight[k] * (a0 + b0);
        s1 += weight[k] * (a1 + b1);
        s2 += weight[k] * (a2 + b2);
        s3 += weight[k] * (a3 + b3);
        a0 = v(low + 4);
        b3 = v(high - 1);
        s0 += weight[k - 1] * (a1 + b3);
        s1 += weight[k - 1] * (a2 + b0);
        s2 += weight[k - 1] * (a3 + b1);
        s3 += weight[k - 1] * (a0 + b2);
        a1 = v(low + 5);
        b2 = v(high - 2);
        s0 += weight[k - 2] * (a2 + b2);
        s1 += weight[k - 2] * (a3 + b3);
        s2 += weight[k - 2] * (a0 + b0);
        s3 += weight[k - 2] * (a1 + b1);
        a2 = v(low + 6);
        b1 = v(high - 3);
        s0 += weight[k - 3] * (a3 + b1);
        s1 += weight[k - 3] * (a0 + b2);
        s2 += weight[k - 3] * (a1 + b3);
        s3 += weight[k - 3] * (a2 + b0);
        a3 = v(low + 7);
        b0 = v(high - 4);
    }
    out[0] = s0 + weight[0] * a0;
    out[1] = s1 + weight[0] * a1;
    out[2] = s2 + weight[0] * a2;
    out[3] = s3 + weight[0] * a3;
}

/// A band of rows in turned form: panel p holds rows p n_lanes and on, one vector a column, with
/// a wrapped margin of `radius` columns at both ends.
inline float* panel_of(const SmoothingPlan& plan, std::size_t panel) noexcept {
    return plan.columns + panel * n_lanes * (plan.side + 2 * plan.radius);
}

constexpr std::size_t n_panels = band_rows / n_lanes;

/// Smooths a band along axis 0, from plan.rows into its panels, and fetches the same rows of the
/// next map, if there is one, into L2.
///
/// One cache line of each row is copied first: rows are a power of two apart, and would compete for
/// the same places in L1 (5 pixels: 88 and not 101 us per map with AVX-512).
inline void smooth_along_columns(const SmoothingPlan& plan, const float* next_rows) noexcept {
    const std::size_t n_rows = band_rows + 2 * plan.radius;
    for (std::size_t begin = 0; begin < plan.side; begin += line_floats) {
        const std::size_t line =
            smaller(begin, plan.side - line_floats);  // the last two may overlap
        for (std::size_t i = 0; i < n_rows; ++i)
            for (std::size_t x = 0; x < line_floats; x += n_lanes)
                store(load(plan.rows[i] + line + x), plan.lines + x * n_rows + i * n_lanes);
        for (std::size_t i = 0; i < band_rows && next_rows != nullptr; ++i)
            __builtin_prefetch(next_rows + i * plan.side + line, 0, 2);
        for (std::size_t x = 0; x < line_floats; x += n_lanes)
            for (std::size_t panel = 0; panel < n_panels; ++panel) {
                const float* const column = plan.lines + x * n_rows + panel * n_lanes * n_lanes;
                Floats block[n_lanes];
                for (std::size_t i = 0; i < n_lanes; i += 4)
                    add_pairs(column + i * n_lanes, plan.weights, plan.radius, block + i);
                transpose(block);
                float* const to = panel_of(plan, panel) + (plan.radius + line + x) * n_lanes;
                AllLanes::each([&](std::size_t j) { store(block[j], to + j * n_lanes); });
            }
    }
}

inline void fill_margins(const SmoothingPlan& plan) noexcept {
    for (std::size_t panel = 0; panel < n_panels; ++panel) {
        float* const columns = panel_of(plan, panel);
        const std::size_t n_margin = plan.radius * n_lanes, n_row = plan.side * n_lanes;
        __builtin_memcpy(columns, columns + n_row, n_margin * sizeof(float));
        __builtin_memcpy(columns + n_margin + n_row, columns + n_margin, n_margin * sizeof(float));
    }
}

/// Smooths a band along axis 1, from its panels into rows of `out`.
inline void smooth_along_rows(const SmoothingPlan& plan, float* out) noexcept {
    for (std::size_t panel = 0; panel < n_panels; ++panel) {
        for (std::size_t begin = 0; begin < plan.side; begin += n_lanes) {
            const std::size_t x = smaller(begin, plan.side - n_lanes);
            Floats block[n_lanes];
            for (std::size_t j = 0; j < n_lanes; j += 4)
                add_pairs(panel_of(plan, panel) + (x + j) * n_lanes, plan.weights, plan.radius,
                          block + j);
            transpose(block);
            float* const to = out + panel * n_lanes * plan.side + x;
            AllLanes::each([&](std::size_t i) { store(block[i], to + i * plan.side); });
        }
    }
}

/// Band by band: 16 rows, their smoothing and what it needs of the map stay in L1, or nearly.
void smooth(const SmoothingPlan& plan, const float* map, const float* next, float* out) noexcept {
    const std::size_t side = plan.side;
    for (std::size_t begin = 0; begin < side; begin += band_rows) {
        const std::size_t y = smaller(begin, side - band_rows);  // the last two may overlap
        for (std::size_t i = 0; i < band_rows + 2 * plan.radius; ++i)
            plan.rows[i] = map + (y + i + side - plan.radius) % side * side;
        smooth_along_columns(plan, next == nullptr ? nullptr : next + y * side);
        fill_margins(plan);
        smooth_along_rows(plan, plan.band == nullptr ? out + y * side : plan.band);
        if (plan.band != nullptr)
            copy_past_caches(plan.band, band_rows * side * sizeof(float), out + y * side);
    }
    if (plan.band != nullptr) end_of_streaming();
}

}  // namespace
}  // namespace mapkernels
