#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace mapkernels {

/// A cache line, and the widest vector.
constexpr std::size_t alignment = 64;

/// Results of this size in all leave the caches before they are read; they are written past them.
constexpr std::size_t streaming_bytes = std::size_t{8} << 20;

struct DeleteAligned {
    void operator()(float* memory) const noexcept {
        ::operator delete[](memory, std::align_val_t(alignment));
    }
};

/// Scratch memory that begins with a cache line; not initialized.
using AlignedFloats = std::unique_ptr<float[], DeleteAligned>;

inline AlignedFloats aligned_floats(std::size_t n) {
    if (n == 0) return nullptr;
    return AlignedFloats(new (std::align_val_t(alignment)) float[n]);
}

}  // namespace mapkernels
