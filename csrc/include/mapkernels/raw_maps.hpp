#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>

namespace mapkernels {

/// A place in a file that is open for reading.
struct FilePlace {
    int descriptor;
    std::int64_t offset;  ///< [bytes]
};

/// A file that cannot be read, or ends too early.
class FileError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Maps in memory, or in the file that they are mapped from.
///
/// To read a map into scratch memory that stays in the cache costs a copy, and no page faults nor,
/// with several threads, messages between cores when its pages are given back.
struct RawMaps {
    const float* maps;
    std::size_t n_pixels;           ///< of a map
    std::optional<FilePlace> file;  ///< where maps[0] is; none for maps in memory

    /// Map i, read into `scratch`, n_pixels floats, if it is in a file. Throws FileError.
    [[nodiscard]] const float* map(std::size_t i, float* scratch) const;
};

}  // namespace mapkernels
