#pragma once

#include "find_invalid.hpp"
#include "gather.hpp"
#include "kernel_table.hpp"
#include "logarithm.hpp"
#include "moments.hpp"
#include "preprocess.hpp"
#include "smooth.hpp"

namespace mapkernels {
namespace {

constexpr KernelTable this_table = {
    &smooth, &log10, &log10p1, &moments, &subtract, &find_invalid, &take_log_and_moments, &gather};

}  // namespace
}  // namespace mapkernels
