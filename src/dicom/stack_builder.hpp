#pragma once
// From the frames of one series to stacks: which frames belong together.
#include <vector>

#include "series.hpp"

namespace isocenter::detail::dicom {

/// Frames of one series, told apart by these rules in this order:
/// 1. localisers (ImageType has the value LOCALIZER) beside other images;
/// 2. frames without a position;
/// 3. Rows, Columns, PixelSpacing, ImageOrientationPatient (equal to 2e-4);
/// 4. FrameOfReferenceUID, unless every frame has one of its own, which then says nothing;
/// 5. where two frames share a plane: the first of `discriminators` (ConvolutionKernel, ImageType, ...) that leaves
/// fewer
///    such pairs, then the next, and so on;
/// 6. where each plane holds the same number of frames still: their order by InstanceNumber.
/// Slices are in the order of their position along row × column. Findings about the split go to `findings`.
std::vector<Stack> build_stacks(const std::vector<Image>& images, const std::vector<int>& members,
                                std::vector<Finding>& findings);

/// Two frames closer than this along the normal share a plane.
inline constexpr double same_plane_mm = 1e-3;

}  // namespace isocenter::detail::dicom
