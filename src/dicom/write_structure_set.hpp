#pragma once
// A label map as an RT Structure Set: PS3.3 A.19, a region for each label, closed contours in the planes of its slices.
#include "write_segmentation.hpp"

namespace isocenter::detail::dicom {

struct StructureSetToWrite {
  std::span<const std::uint8_t> labels;  ///< nx · ny · nz, x fastest
  int nx = 0, ny = 0, nz = 0;
  Geometry geometry;
  std::vector<Segment> segments;
  std::string structure_set_label;  ///< SH, at most 16 characters
};

/// Writes one file, implicit little endian, since a long contour is longer than what explicit VR gives ContourData
/// (3006,0050). Contours run along the voxels' edges: whoever asks which voxel centres they hold gets the labels back.
/// Throws Failure: bad_data when no voxel belongs to a segment, io_error as write_object.
void write_structure_set(const std::string& path, const StructureSetToWrite& structures, const SourceMetadata& source,
                         const OutputDescription& description);

}  // namespace isocenter::detail::dicom
