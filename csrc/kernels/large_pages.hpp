#pragma once

#include <cstddef>
#include <memory>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace mapkernels {

constexpr std::size_t large_page = std::size_t{2} << 20;

struct DeleteLargePages {
    void operator()(void* memory) const noexcept {
        ::operator delete(memory, std::align_val_t(large_page));
    }
};

/// Memory that is visited at random, in large pages where the system has them; not initialized.
///
/// With pages of 4 KiB, filling and visiting a mesh of 160^3 nodes took 1.3 times as long.
template <typename T>
std::unique_ptr<T[], DeleteLargePages> in_large_pages(std::size_t n) {
    const std::size_t n_bytes = n * sizeof(T);
    void* const memory = ::operator new(n_bytes, std::align_val_t(large_page));
#if defined(MADV_HUGEPAGE)
    ::madvise(memory, n_bytes, MADV_HUGEPAGE);  // advice: nothing is lost if it is not taken
#endif
    return std::unique_ptr<T[], DeleteLargePages>(static_cast<T*>(memory));
}

}  // namespace mapkernels
