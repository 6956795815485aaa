#pragma once
// An RT Structure Set's contours, and the voxels inside them.
#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "voxel_grid.hpp"

namespace isocenter::detail::dicom {

/// One region of interest: PS3.3 C.8.8.5 and C.8.8.6.
struct Structure3D {
  int number = 0;  ///< ROINumber (3006,0022)
  std::string name;
  std::array<double, 3> srgb{1, 1, 1};
  std::vector<std::vector<Vec3>> contours;  ///< CLOSED_PLANAR ones, LPS mm
  int other_contours = 0;                   ///< points and open lines, which enclose nothing
};

struct StructureSet {
  std::string frame_of_reference_uid;
  std::vector<Structure3D> structures;  ///< in the order of the file
};

/// Throws Failure with file and attribute.
StructureSet open_structure_set(const std::string& path);

/// Marks the voxels of one structure: mask (the grid's voxels) gets `label` where a voxel's centre lies inside an odd
/// number of the plane's contours, so that contours within contours are holes. A contour belongs to the plane nearest
/// to it, and reaches no further: planes between contours stay empty. `claim(old)` says what a voxel with a label
/// becomes. Throws Failure(bad_data) when a contour does not lie in one plane of the grid (within half a step).
void fill_structure(const Structure3D& structure, const VoxelGrid& grid,
                    const std::function<std::uint8_t(std::uint8_t old)>& claim, std::span<std::uint8_t> mask);

}  // namespace isocenter::detail::dicom
