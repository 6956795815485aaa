#pragma once
// What projecting a grid of voxels along the rays of a scan needs, computed once, in double.
#include <isocenter/recon/acquisition.hpp>
#include <span>
#include <vector>

#include "recon/joseph.hpp"

namespace isocenter::detail {

struct ProjectorRequest {
  std::span<const View> views;
  Beam beam = Beam::cone;
  DetectorShape detector = DetectorShape::flat;
  int columns = 0, rows = 0;
  int nx = 1, ny = 1, nz = 1;
  Geometry geometry;  ///< of the voxels; any direction
};

/// How a volume lies in memory while a projector works on it: along `fast`, the axis most parallel to the detector's
/// columns, voxels are neighbours, and every row of them is followed by zeros up to a multiple of 16.
struct ProjectorVolume {
  int n[3] = {1, 1, 1};
  std::int64_t stride[3] = {1, 1, 1};
  std::int64_t floats = 0;
  int fast = 2, middle = 0, slow = 1;
  int padded = 16;  ///< n[fast] rounded up
};

struct ProjectorPlan {
  ProjectorVolume volume;
  LineStack stack{};
  int views = 0, columns = 0, rows = 0, runs = 1;
  bool along_rows = false;  ///< a line of rays is a detector row (2-D scans), not a column
  bool aligned = false;     ///< every line keeps to one plane that holds the fast axis: joseph_forward_simd applies
  bool separated = false;   ///< rays of every line are a sixteenth of a voxel apart: joseph_forward_any applies
  bool turns = false;       ///< some line steps along the fast axis
  std::vector<JosephLine> lines;
  JosephPlane plane[3] = {};
  int c_axis[3] = {};  ///< the axis c of each axis's planes
};

/// Throws Failure when the rays of a detector column turn too far from one another (more than 76 degrees from the axis
/// along which they are followed).
ProjectorPlan plan_projector(const ProjectorRequest& request);

/// A projector takes volumes of less than 2^31 voxels, and larger ones in slabs.
bool is_too_large(const ProjectorPlan& plan);

/// The plan for a slab of the volume along z, `height` slices of it; without lines (JosephSlab makes them).
ProjectorPlan plan_of_slab(const ProjectorPlan& whole, int height);

}  // namespace isocenter::detail
