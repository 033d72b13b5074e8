// Compiled once for each set of instructions; MAPKERNELS_LOOPS is portable_loops, avx2_loops, ...
#include "hot_loops.hpp"

#include "find_invalid.hpp"
#include "gather.hpp"
#include "logarithm.hpp"
#include "moments.hpp"
#include "preprocess.hpp"
#include "smooth.hpp"

namespace mapkernels {

const HotLoops MAPKERNELS_LOOPS = {
    &smooth, &log10, &log10p1, &moments, &subtract, &find_invalid, &take_log_and_moments, &gather};

}  // namespace mapkernels
