#include <atomic>
#include <new>
#include <stdexcept>

#include "check.hpp"
#include "mapkernels/parallel.hpp"

using mapkernels::tests::check;

namespace {

std::atomic<int> allocations_left{1'000'000'000};

}  // namespace

/// Allocation fails once `allocations_left` is used up.
void* operator new(std::size_t size) {
    if (allocations_left.fetch_sub(1) <= 0) throw std::bad_alloc();
    void* const memory = std::malloc(size);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}

void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*size*/) noexcept { std::free(memory); }

namespace {

void every_map_once() {
    for (std::size_t n = 0; n < 20; ++n) {
        for (int n_threads = -1; n_threads < 25; ++n_threads) {
            std::vector<std::atomic<int>> calls(n);
            mapkernels::for_each_map(n, n_threads, [&](std::size_t i) { ++calls[i]; });
            for (const auto& count : calls) check(count == 1, "each map is visited once");
        }
    }
}

void first_exception_is_rethrown() {
    std::atomic<int> finished{0};
    std::string message;
    try {
        mapkernels::for_each_map(8, 4, [&](std::size_t i) {
            if (i == 3 || i == 6) throw std::runtime_error(std::to_string(i));
            ++finished;
        });
    } catch (const std::runtime_error& error) {
        message = error.what();
    }
    check(message == "3", "the exception of the first block is rethrown");
    check(finished == 5, "the other blocks finish first");
}

/// Two allocations hold the errors and the threads; each further one starts a thread.
void every_map_once_without_memory() {
    for (int n_allocations = 0; n_allocations < 10; ++n_allocations) {
        std::vector<std::atomic<int>> calls(6);
        bool refused = false;
        allocations_left = n_allocations;
        try {
            mapkernels::for_each_map(6, 6, [&](std::size_t i) { ++calls[i]; });
        } catch (const std::bad_alloc&) {
            refused = true;
        }
        allocations_left = 1'000'000'000;
        check(refused == (n_allocations < 2), "only a thread can be done without");
        for (const auto& count : calls)
            check(count == (refused ? 0 : 1), "each map is visited once, on the threads there are");
    }
}

}  // namespace

int main() {
    every_map_once();
    every_map_once_without_memory();
    first_exception_is_rethrown();
}
