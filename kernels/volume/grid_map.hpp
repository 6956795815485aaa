#pragma once
// Volumes and labels read at the positions of another grid.
#include <cmath>

#include "core/lanes.hpp"

namespace isocenter::detail {

/// Voxel indices of the source for voxel (x, y, z) of the result: start + x · across + y · down + z · next. In double:
/// grids of 65,535 voxels are met to a millionth of one.
struct GridMap {
  double start[3], across[3], down[3], next[3];
  int extent[3];  ///< of the source

  ISOCENTER_HD double at(int axis, int x, int y, int z) const {
    const double p = start[axis] + x * across[axis] + y * down[axis] + z * next[axis];
    const double whole = floor(p + 0.5);
    return p - whole < 1e-6 && whole - p < 1e-6 ? whole : p;  // equal grids are met exactly
  }
  /// Whether a position lies in a voxel of the source.
  ISOCENTER_HD bool inside(const double (&p)[3]) const {
    for (int a = 0; a < 3; ++a)
      if (!(p[a] >= -0.5 && p[a] < extent[a] - 0.5)) return false;
    return true;
  }
};

/// x, y: result, z: (frame, slice), slice fastest. Linear between voxels; in the outer half of a border voxel its
/// value.
struct SampleVolumeKernel {
  static constexpr const char* name = "volume/sample_volume";
  GridMap map;
  const float* in;
  float* out;
  int nx, ny, nz;
  float outside;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x0, int y, int z) const {
    const std::int64_t plane = static_cast<std::int64_t>(map.extent[0]) * map.extent[1];
    const float* frame = in + (z / nz) * plane * map.extent[2];
    for (int x = x0; x < x0 + Lanes::width; ++x) {
      const double p[3] = {map.at(0, x, y, z % nz), map.at(1, x, y, z % nz), map.at(2, x, y, z % nz)};
      float value = outside;
      if (map.inside(p)) {
        int low[3], high[3];
        float part[3];
        for (int a = 0; a < 3; ++a) {
          const double last = map.extent[a] - 1, held = p[a] < 0 ? 0 : p[a] > last ? last : p[a];
          low[a] = static_cast<int>(held);
          high[a] = low[a] + 1 < map.extent[a] ? low[a] + 1 : low[a];
          part[a] = static_cast<float>(held - low[a]);
        }
        value = 0;
        for (int corner = 0; corner < 8; ++corner) {
          const int i = corner & 1 ? high[0] : low[0], j = corner & 2 ? high[1] : low[1],
                    k = corner & 4 ? high[2] : low[2];
          const float weight = (corner & 1 ? part[0] : 1 - part[0]) * (corner & 2 ? part[1] : 1 - part[1]) *
                               (corner & 4 ? part[2] : 1 - part[2]);
          if (weight > 0) value += weight * frame[k * plane + static_cast<std::int64_t>(j) * map.extent[0] + i];
        }
      }
      out[(static_cast<std::int64_t>(z) * ny + y) * nx + x] = value;
    }
  }
};

/// The same for labels: the nearest voxel's, halfway the upper one's; 0 outside.
struct SampleLabelsKernel {
  static constexpr const char* name = "volume/sample_labels";
  GridMap map;
  const std::uint8_t* in;
  std::uint8_t* out;
  int nx, ny, nz;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x0, int y, int z) const {
    const std::int64_t plane = static_cast<std::int64_t>(map.extent[0]) * map.extent[1];
    const std::uint8_t* frame = in + (z / nz) * plane * map.extent[2];
    for (int x = x0; x < x0 + Lanes::width; ++x) {
      const double p[3] = {map.at(0, x, y, z % nz), map.at(1, x, y, z % nz), map.at(2, x, y, z % nz)};
      std::int64_t from[3];
      for (int a = 0; a < 3; ++a) from[a] = static_cast<std::int64_t>(floor(p[a] + 0.5));
      out[(static_cast<std::int64_t>(z) * ny + y) * nx + x] =
          map.inside(p) ? frame[from[2] * plane + from[1] * map.extent[0] + from[0]] : std::uint8_t{0};
    }
  }
};

}  // namespace isocenter::detail
