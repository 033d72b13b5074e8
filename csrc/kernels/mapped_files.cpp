#include "mapkernels/mapped_files.hpp"

#ifndef _WIN32

#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <mutex>

namespace mapkernels {
namespace {

constexpr std::size_t n_places = 256;  // of maps beyond these no name is given
constexpr std::size_t longest_name = 1024;
constexpr int exit_code = 2;  // as of every error that a user can mend

struct Mapping {
    std::atomic<std::uintptr_t> begin{0};  // 0: a free place
    std::atomic<std::size_t> n_bytes{0};
    std::array<char, longest_name> name{};
};

std::array<Mapping, n_places> mappings;
std::mutex writing;
std::atomic_flag told = ATOMIC_FLAG_INIT;
struct sigaction before;

void say(const char* text) {
    // nothing can be done if it fails
    [[maybe_unused]] const ssize_t n = write(STDERR_FILENO, text, std::strlen(text));
}

/// Calls async-signal-safe functions alone.
void explain_bus_error(int, siginfo_t* info, void*) {
    const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
    for (const Mapping& mapping : mappings) {
        const std::uintptr_t begin = mapping.begin.load();
        if (begin == 0 || address < begin || address >= begin + mapping.n_bytes.load()) continue;
        while (told.test_and_set()) pause();  // the first of several threads ends the program
        say(mapping.name.data());
        say(": The file was truncated, or its disk failed, while it was read. Restore it and run "
            "the "
            "same command again.\n");
        _exit(exit_code);
    }
    sigaction(SIGBUS, &before, nullptr);  // on return the error comes again, to this one
}

void install() {
    struct sigaction action = {};
    action.sa_sigaction = explain_bus_error;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, &before);
}

}  // namespace

void watch_mapping(const void* address, std::size_t n_bytes, const std::string& name) {
    static std::once_flag installed;
    std::call_once(installed, install);
    const std::lock_guard<std::mutex> lock(writing);
    for (Mapping& mapping : mappings) {
        if (mapping.begin.load() != 0) continue;
        std::strncpy(mapping.name.data(), name.c_str(), longest_name - 1);
        mapping.n_bytes.store(n_bytes);
        mapping.begin.store(reinterpret_cast<std::uintptr_t>(address));
        return;
    }
}

void forget_mapping(const void* address) {
    const std::lock_guard<std::mutex> lock(writing);
    for (Mapping& mapping : mappings)
        if (mapping.begin.load() == reinterpret_cast<std::uintptr_t>(address)) {
            mapping.begin.store(0);
            return;
        }
}

}  // namespace mapkernels

#else

void mapkernels::watch_mapping(const void*, std::size_t, const std::string&) {}
void mapkernels::forget_mapping(const void*) {}

#endif
