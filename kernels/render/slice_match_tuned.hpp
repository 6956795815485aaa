#pragma once
// The CPU's fast SliceMatchKernel: for each displacement, differences are computed once and summed over rows and
// columns for all pixels of a block, as a box filter. The same additions in the same order as the reference, so the
// same bits.
#include "core/launch.hpp"
#include "render/slice_interpolation.hpp"

namespace isocenter::detail {

/// Floats of scratch memory: two slices with a margin, two numbers for each pixel.
std::int64_t slice_match_scratch_floats(const SliceMatchKernel& kernel);

/// Runs on the CPU's threads; scratch is aligned to 32 bytes.
void slice_match_tuned(const Launcher& launcher, const SliceMatchKernel& kernel, float* scratch);

}  // namespace isocenter::detail
