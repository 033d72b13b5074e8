#pragma once

#include <cstddef>
#include <string>

namespace mapkernels {

/// Name the file behind a memory map, for the message with which the process ends if the file is
/// truncated while it is mapped: to read past its end is a bus error, which says nothing by itself.
///
/// The first call installs a handler of SIGBUS, which leaves other bus errors to the handler before
/// it. Does nothing on Windows, where a mapped file cannot be truncated. Thread-safe.
void watch_mapping(const void* address, std::size_t n_bytes, const std::string& name);

/// Forget a mapping before it is unmapped.
void forget_mapping(const void* address);

}  // namespace mapkernels
