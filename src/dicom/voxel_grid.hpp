#pragma once
// A regular grid of voxels in the patient, and where a point lies in it.
#include <isocenter/payload.hpp>

#include "series.hpp"
#include "vec3.hpp"

namespace isocenter::detail::dicom {

struct VoxelGrid {
  Vec3 origin, axis[3];  ///< centre of voxel (0, 0, 0); unit vectors of x, y, z, at right angles
  double spacing[3] = {1, 1, 1};
  int extent[3] = {0, 0, 0};

  /// The (fractional) voxel index of a point in mm.
  Vec3 index(Vec3 point) const {
    const Vec3 d = point - origin;
    return {dot(d, axis[0]) / spacing[0], dot(d, axis[1]) / spacing[1], dot(d, axis[2]) / spacing[2]};
  }
  std::size_t offset(int x, int y, int z) const {
    return (static_cast<std::size_t>(z) * static_cast<std::size_t>(extent[1]) + static_cast<std::size_t>(y)) *
               static_cast<std::size_t>(extent[0]) +
           static_cast<std::size_t>(x);
  }
  bool holds(int x, int y, int z) const {
    return x >= 0 && y >= 0 && z >= 0 && x < extent[0] && y < extent[1] && z < extent[2];
  }
};

inline VoxelGrid grid_of(const Volume& volume) {
  const Geometry g = volume.geometry();
  VoxelGrid grid;
  grid.origin = {g.origin_mm[0], g.origin_mm[1], g.origin_mm[2]};
  const std::int64_t extents[] = {volume.nx(), volume.ny(), volume.nz()};
  for (int i = 0; i < 3; ++i) {
    const auto a = g.axis(i);
    grid.axis[i] = {a[0], a[1], a[2]};
    grid.spacing[i] = g.spacing_mm[i];
    grid.extent[i] = static_cast<int>(extents[i]);
  }
  return grid;
}

inline Geometry geometry_of(const VoxelGrid& grid) {
  Geometry g({grid.spacing[0], grid.spacing[1], grid.spacing[2]}, {grid.origin.x, grid.origin.y, grid.origin.z});
  for (int i = 0; i < 3; ++i) {
    g.direction[i] = grid.axis[i].x;
    g.direction[3 + i] = grid.axis[i].y;
    g.direction[6 + i] = grid.axis[i].z;
  }
  return g;
}

inline Geometry geometry_of(const StackGeometry& s) {
  Geometry g({s.dx_mm, s.dy_mm, s.dz_mm}, {s.origin.x, s.origin.y, s.origin.z});
  const Vec3 axes[] = {s.row, s.column, s.normal};
  for (int i = 0; i < 3; ++i) {
    g.direction[i] = axes[i].x;
    g.direction[3 + i] = axes[i].y;
    g.direction[6 + i] = axes[i].z;
  }
  return g;
}

}  // namespace isocenter::detail::dicom
