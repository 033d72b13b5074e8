#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

/// Vectors as wide as the instructions this file is compiled for.
///
/// GCC's and Clang's vector extensions: arithmetic is written as for a number, and is SSE2, AVX,
/// NEON or whatever there is. Everything is in an anonymous namespace, and nothing here calls a
/// template of the standard library: a function that the linker may share between files would carry
/// wide instructions to machines that have none.
namespace mapkernels {
namespace {

#if defined(__AVX512F__)
constexpr std::size_t vector_bytes = 64;
#elif defined(__AVX2__)
constexpr std::size_t vector_bytes = 32;
#else
constexpr std::size_t vector_bytes = 16;
#endif
constexpr std::size_t n_lanes = vector_bytes / sizeof(float);

using Floats = float __attribute__((vector_size(vector_bytes)));
using Ints = std::int32_t __attribute__((vector_size(vector_bytes)));
using Words = std::uint32_t __attribute__((vector_size(vector_bytes)));

// Four at most: Zen 4 converts eight floats to doubles at half the speed.
constexpr std::size_t n_doubles = vector_bytes < 32 ? 2 : 4;
using Doubles = double __attribute__((vector_size(n_doubles * sizeof(double))));
using NarrowFloats = float __attribute__((vector_size(n_doubles * sizeof(float))));

template <typename Vector, typename T>
inline Vector load(const T* from) noexcept {
    Vector vector;
    __builtin_memcpy(&vector, from, sizeof vector);
    return vector;
}

/// At any address: GCC copies 32 bytes between two arrays in halves, but not a value of this type.
struct __attribute__((packed, may_alias)) UnalignedFloats {
    Floats vector;
};

inline Floats load(const float* from) noexcept {
    return reinterpret_cast<const UnalignedFloats*>(from)->vector;
}

template <typename Vector, typename T>
inline void store(const Vector& vector, T* to) noexcept {
    __builtin_memcpy(to, &vector, sizeof vector);
}

inline void store(const Floats& vector, float* to) noexcept {
    reinterpret_cast<UnalignedFloats*>(to)->vector = vector;
}

/// The same bits as another type.
template <typename To, typename From>
inline To cast(const From& from) noexcept {
    static_assert(sizeof(To) == sizeof(From));
    return load<To>(&from);
}

/// Floats as doubles, in one instruction, where GCC 12 makes four of the general form.
inline Doubles load_wide(const float* from) noexcept {
#if defined(__AVX2__)
    return cast<Doubles>(_mm256_cvtps_pd(_mm_loadu_ps(from)));
#elif defined(__SSE2__)
    return cast<Doubles>(_mm_cvtps_pd(_mm_castsi128_ps(_mm_loadu_si64(from))));
#else
    return __builtin_convertvector(load<NarrowFloats>(from), Doubles);
#endif
}

template <typename Vector>
inline Vector larger(const Vector& a, const Vector& b) noexcept {
    return a > b ? a : b;
}

template <typename Vector>
inline Vector smaller(const Vector& a, const Vector& b) noexcept {
    return a < b ? a : b;
}

/// True if a lane of a comparison is -1 and not 0.
inline bool any(const Ints& lanes) noexcept {
#if defined(__AVX512F__)
    return _mm512_test_epi32_mask(cast<__m512i>(lanes), cast<__m512i>(lanes)) != 0;
#elif defined(__AVX2__)
    return _mm256_movemask_ps(cast<__m256>(lanes)) != 0;
#elif defined(__SSE2__)
    return _mm_movemask_ps(cast<__m128>(lanes)) != 0;
#else
    std::int32_t bits = 0;
    for (std::size_t lane = 0; lane < n_lanes; ++lane) bits |= lanes[lane];
    return bits != 0;
#endif
}

constexpr std::size_t smaller(std::size_t a, std::size_t b) noexcept { return a < b ? a : b; }

/// The numbers of the lanes.
template <std::size_t... lane>
struct Lanes {
    /// Calls `run` with each number of a lane, without a loop: so that vectors of an array that it
    /// indexes can stay in registers.
    template <typename Run>
    static void each(const Run& run) noexcept {
        (run(lane), ...);
    }

    /// Lanes that Pick names, of `a` and, as lanes n_lanes and above, of `b`.
    template <typename Pick>
    static Floats pick(const Floats& a, const Floats& b, const Pick& /*of*/) noexcept {
#if defined(__clang__)
        return __builtin_shufflevector(a, b, Pick::of(lane)...);
#else
        return __builtin_shuffle(a, b, Ints{Pick::of(lane)...});
#endif
    }
};

template <std::size_t n, std::size_t... lane>
struct MakeLanes : MakeLanes<n - 1, n - 1, lane...> {};
template <std::size_t... lane>
struct MakeLanes<0, lane...> {
    using Type = Lanes<lane...>;
};
using AllLanes = MakeLanes<n_lanes>::Type;

struct Backwards {
    static constexpr int of(std::size_t lane) noexcept {
        return static_cast<int>(n_lanes - 1 - lane);
    }
};

/// Of each four lanes, a pair of `a` and the same pair of `b`, number by number: a0 b0 a1 b1.
template <int first>
struct Interleave {
    static constexpr int of(std::size_t lane) noexcept {
        const int quad = static_cast<int>(lane / 4 * 4), place = static_cast<int>(lane % 4);
        return quad + first + place / 2 + (place % 2) * static_cast<int>(n_lanes);
    }
};

/// Of each four lanes, a pair of `a`, then the same pair of `b`: a0 a1 b0 b1.
template <int first>
struct Concatenate {
    static constexpr int of(std::size_t lane) noexcept {
        const int quad = static_cast<int>(lane / 4 * 4), place = static_cast<int>(lane % 4);
        return quad + first + place % 2 + (place / 2) * static_cast<int>(n_lanes);
    }
};

/// Every second quad of `a`, then of `b`, beginning with quad `first`.
template <int first>
struct EverySecondQuad {
    static constexpr int of(std::size_t lane) noexcept {
        const int quad = static_cast<int>(lane / 4), place = static_cast<int>(lane % 4);
        return (2 * quad + first) * 4 + place;
    }
};

inline Floats reverse(const Floats& x) noexcept { return AllLanes::pick(x, x, Backwards{}); }

/// Transposes four vectors within each quad: lane 4 g + q of vector i goes to lane 4 g + i of q.
inline void transpose_quads(Floats* v) noexcept {
    const Floats a = AllLanes::pick(v[0], v[1], Interleave<0>{});
    const Floats b = AllLanes::pick(v[0], v[1], Interleave<2>{});
    const Floats c = AllLanes::pick(v[2], v[3], Interleave<0>{});
    const Floats d = AllLanes::pick(v[2], v[3], Interleave<2>{});
    v[0] = AllLanes::pick(a, c, Concatenate<0>{});
    v[1] = AllLanes::pick(a, c, Concatenate<2>{});
    v[2] = AllLanes::pick(b, d, Concatenate<0>{});
    v[3] = AllLanes::pick(b, d, Concatenate<2>{});
}

/// Transposes n_lanes vectors: lane j of vector i goes to lane i of vector j.
inline void transpose(Floats (&v)[n_lanes]) noexcept {
    constexpr std::size_t n_quads = n_lanes / 4;
    for (std::size_t i = 0; i < n_lanes; i += 4) transpose_quads(v + i);
    for (std::size_t q = 0; q < 4 && n_quads > 1; ++q) {
        // v[4 i + q] holds rows 4 i .. 4 i + 3 of columns q, 4 + q, ...: quads are transposed next.
        Floats x[n_quads];
        for (std::size_t i = 0; i < n_quads; ++i) x[i] = v[4 * i + q];
        for (std::size_t done = 1; done < n_quads; done *= 2) {
            Floats y[n_quads];
            for (std::size_t i = 0; i < n_quads / 2; ++i) {
                y[i] = AllLanes::pick(x[2 * i], x[2 * i + 1], EverySecondQuad<0>{});
                y[i + n_quads / 2] = AllLanes::pick(x[2 * i], x[2 * i + 1], EverySecondQuad<1>{});
            }
            for (std::size_t i = 0; i < n_quads; ++i) x[i] = y[i];
        }
        for (std::size_t i = 0; i < n_quads; ++i) v[4 * i + q] = x[i];
    }
}

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
