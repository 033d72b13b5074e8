#pragma once

#include <cstddef>

namespace mapkernels {

/// How a pixel is stored. Arithmetic is in float32 whatever the type.
enum class PixelType {
    float32,
    float16,   ///< IEEE 754 half: 11 bits of precision, to 65,504
    bfloat16,  ///< the upper half of a float32: 8 bits of precision
};

constexpr std::size_t size_of(PixelType type) noexcept {
    return type == PixelType::float32 ? 4 : 2;
}

}  // namespace mapkernels
