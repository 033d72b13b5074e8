#include "mapkernels/maps.hpp"

#ifndef _WIN32
#include <unistd.h>
#endif

#include <cerrno>
#include <cstring>
#include <string>

namespace mapkernels {

#ifdef _WIN32

const float* RawMaps::map(std::size_t i, float*) const { return maps + i * n_pixels; }

#else

namespace {

void read_all(const FilePlace& place, char* out, std::size_t n_bytes) {
    std::size_t n_done = 0;
    while (n_done < n_bytes) {
        const auto offset = static_cast<off_t>(place.offset) + static_cast<off_t>(n_done);
        const ssize_t n = pread(place.descriptor, out + n_done, n_bytes - n_done, offset);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0)
            throw FileError(std::string("Expected to read it, got: ") + std::strerror(errno));
        if (n == 0)
            throw FileError("Expected " + std::to_string(n_bytes - n_done) +
                            " more bytes at byte " + std::to_string(offset) +
                            ", got the end of the file.");
        n_done += static_cast<std::size_t>(n);
    }
}

}  // namespace

const float* RawMaps::map(std::size_t i, float* scratch) const {
    if (!file) return maps + i * n_pixels;
    const std::size_t n_bytes = n_pixels * sizeof(float);
    const FilePlace place{file->descriptor, file->offset + static_cast<std::int64_t>(i * n_bytes)};
    read_all(place, reinterpret_cast<char*>(scratch), n_bytes);
    return scratch;
}

#endif

}  // namespace mapkernels
