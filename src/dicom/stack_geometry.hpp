#pragma once
// Whether a stack is a regular grid, and where it lies.
#include <string>
#include <vector>

#include "series.hpp"

namespace isocenter::detail::dicom {

/// Fills stack.geometry and adds a finding for each way in which the stack is no regular volume.
///
/// The step between planes is the smallest distance between neighbours when at least half of the distances equal it or
/// SpacingBetweenSlices (0018,0088) does, otherwise their median. A distance d counts as k steps when it differs from k
/// · step by at most 2 % of k · step + min(0.01 mm, step / 10), which covers the rounding of positions to hundredths.
/// A stack is sheared when its slices drift sideways by more than a tenth of a pixel over the whole stack in
/// proportion to the distance along the normal; it wanders when they do so without proportion.
void measure_stack(const std::vector<Image>& images, Stack& stack, std::vector<Finding>& findings);

}  // namespace isocenter::detail::dicom
