#pragma once

#include <algorithm>
#include <cstddef>
#include <exception>
#include <thread>
#include <vector>

namespace mapkernels {

/// Starts a thread that calls run(block); false where none can be had, for want of threads or of
/// memory. `threads` has room for it.
template <typename Function>
bool start_thread(std::vector<std::thread>& threads, const Function& run,
                  std::size_t block) noexcept {
    try {
        threads.emplace_back(run, block);
        return true;
    } catch (...) {
        return false;
    }
}

/// Calls run_block(begin, end) for contiguous blocks that cover [0, n), on up to n_threads threads.
///
/// Blocks are static: n / n_blocks maps each, the first ones one more. The caller's thread takes
/// the first block, so n_threads = 1 starts no thread, and those no thread can be had for. Returns
/// when all are done; then rethrows the exception of the first block that threw.
template <typename Function>
void for_each_block(std::size_t n, int n_threads, const Function& run_block) {
    const std::size_t n_blocks = std::min(n, static_cast<std::size_t>(std::max(n_threads, 1)));
    std::vector<std::exception_ptr> errors(n_blocks);
    const auto run = [&](std::size_t block) noexcept {
        const std::size_t longer = std::min(block, n % n_blocks);
        const std::size_t begin = block * (n / n_blocks) + longer;
        const std::size_t end = begin + n / n_blocks + (block < n % n_blocks ? 1 : 0);
        try {
            run_block(begin, end);
        } catch (...) {
            errors[block] = std::current_exception();
        }
    };

    std::vector<std::thread> threads;
    threads.reserve(n_blocks);
    std::size_t n_here = n_blocks;
    while (n_here > 1 && start_thread(threads, run, n_here - 1)) --n_here;
    for (std::size_t block = 0; block < n_here; ++block) run(block);
    for (auto& thread : threads) thread.join();
    for (const auto& error : errors)
        if (error) std::rethrow_exception(error);
}

/// Calls run_map(i) for each i in [0, n_maps), on up to n_threads threads; see for_each_block.
template <typename Function>
void for_each_map(std::size_t n_maps, int n_threads, const Function& run_map) {
    for_each_block(n_maps, n_threads, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) run_map(i);
    });
}

}  // namespace mapkernels
