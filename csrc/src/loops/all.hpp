#pragma once

#include "loops.hpp"
#include "smooth.hpp"

namespace mapkernels {
namespace {

constexpr Loops these_loops = {&smooth};

}  // namespace
}  // namespace mapkernels
