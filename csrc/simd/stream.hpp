#pragma once

#include "vectors.hpp"

namespace mapkernels {
namespace {

/// Writes a vector to an address that is a multiple of its size, past the caches where possible.
inline void store_past_caches(const Ints& vector, void* to) noexcept {
#if defined(__AVX512F__)
    _mm512_stream_si512(static_cast<__m512i*>(to), cast<__m512i>(vector));
#elif defined(__AVX2__)
    _mm256_stream_si256(static_cast<__m256i*>(to), cast<__m256i>(vector));
#elif defined(__SSE2__)
    _mm_stream_si128(static_cast<__m128i*>(to), cast<__m128i>(vector));
#else
    store(vector, static_cast<char*>(to));
#endif
}

/// Copies bytes that will not be read again before they have left the caches.
///
/// An ordinary store reads the line it writes into; this one does not, and leaves the caches to
/// what is read again. The thread calls end_of_streaming before others may read the bytes.
inline void copy_past_caches(const void* from, std::size_t n_bytes, void* to) noexcept {
    const auto* source = static_cast<const char*>(from);
    auto* target = static_cast<char*>(to);
    const std::size_t beyond = reinterpret_cast<std::uintptr_t>(target) % vector_bytes;
    const std::size_t n_head = smaller(beyond == 0 ? 0 : vector_bytes - beyond, n_bytes);
    __builtin_memcpy(target, source, n_head);
    std::size_t i = n_head;
    for (; i + vector_bytes <= n_bytes; i += vector_bytes)
        store_past_caches(load<Ints>(source + i), target + i);
    __builtin_memcpy(target + i, source + i, n_bytes - i);
}

inline void end_of_streaming() noexcept {
#if defined(__SSE2__)
    _mm_sfence();
#endif
}

}  // namespace
}  // namespace mapkernels
