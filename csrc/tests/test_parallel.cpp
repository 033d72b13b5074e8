#include <atomic>
#include <stdexcept>

#include "check.hpp"
#include "mapkernels/parallel.hpp"

using mapkernels::tests::check;

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

}  // namespace

int main() {
    every_map_once();
    first_exception_is_rethrown();
}
