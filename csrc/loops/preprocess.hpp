#pragma once

#include "hot_loops.hpp"
#include "logarithm.hpp"
#include "moments.hpp"

namespace mapkernels {
namespace {

/// Block by block: logarithm and moments of 8 KiB while they are in L1.
void take_log_and_moments(const LogStep& step, double* row) noexcept {
    alignas(vector_bytes) float block[n_block];
    row[0] = row[1] = row[2] = 0.0;
    for (std::size_t i = 0; i < step.n; i += n_block) {
        const std::size_t n = smaller(n_block, step.n - i);
        float* const logs = step.out == nullptr || step.streaming ? block : step.out + i;
        double set[3];
        (step.plus_one ? log10p1 : log10)(step.x + i, n, logs);
        block_moments(logs, n, set);
        merge_moments(row, set);
        if (step.out != nullptr && step.streaming)
            copy_past_caches(logs, n * sizeof(float), step.out + i);
    }
    if (step.streaming) end_of_streaming();
}

}  // namespace
}  // namespace mapkernels
