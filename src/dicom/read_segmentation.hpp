#pragma once
// A DICOM segmentation's segments and the places of its frames, and its labels on a grid.
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "image.hpp"
#include "voxel_grid.hpp"

namespace isocenter::detail::dicom {

struct SegmentDescription {
  int number = 0;
  std::string label;
  std::array<double, 3> srgb{1, 1, 1};  ///< in [0, 1]
};

struct SegmentationObject {
  enum class Type { binary, fractional, label_map };
  Image image;
  Type type = Type::binary;
  int maximum_fractional_value = 255;
  std::vector<SegmentDescription> segments;
  std::vector<int> segment_of_frame;  ///< 0 for the frames of a label map
};

/// Throws Failure with the file's name and the attribute that is wrong.
SegmentationObject open_segmentation(const std::string& path);

/// The grid that the frames span. Throws Failure (unsupported) when they have no place or no even step.
VoxelGrid natural_grid(const SegmentationObject& object);

enum class SegmentOverlap { refuse, first, last };

/// Fills labels (the grid's voxels, x fastest). `cancelled` is asked before each frame.
/// Throws Failure when a frame does not lie on the grid, or segments overlap and may not.
void read_labels(const SegmentationObject& object, const VoxelGrid& grid, double threshold, SegmentOverlap overlap,
                 std::span<std::uint8_t> labels, const std::function<void(double)>& progress);

}  // namespace isocenter::detail::dicom
