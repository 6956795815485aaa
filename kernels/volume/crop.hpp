#pragma once
// A box of a grid stretched to a fixed number of voxels, and what was made of it put back.
#include "core/voxel_steps.hpp"

namespace isocenter::detail {

/// Voxels first to first + size - 1 along x, y, z.
struct VoxelBox {
  std::int32_t first[3], size[3];
};

/// The voxel among `from` that holds the centre of voxel i of `to`, where both cover the same length; the upper one
/// where the centre lies between two.
ISOCENTER_HD int covering(int i, int from, int to) {
  return static_cast<int>((2 * static_cast<std::int64_t>(i) + 1) * from / (2 * static_cast<std::int64_t>(to)));
}

/// Two neighbours among `from` around the centre of voxel i of `to`, held at the ends.
struct Between {
  int low, high;
  float part;  ///< of `high`

  static ISOCENTER_HD Between at(int i, int from, int to) {
    const double p = (i + 0.5) * from / to - 0.5, last = from - 1, held = p < 0 ? 0 : p > last ? last : p;
    const int low = static_cast<int>(held);
    return {low, low + 1 < from ? low + 1 : low, static_cast<float>(held - low)};
  }
};

/// The value at a place between eight voxels; read(x, y, z) gives one of them.
template <class Read>
ISOCENTER_HD float between_voxels(const Between& x, const Between& y, const Between& z, const Read& read) {
  float value = 0;
  for (int corner = 0; corner < 8; ++corner) {
    const float weight =
        (corner & 1 ? x.part : 1 - x.part) * (corner & 2 ? y.part : 1 - y.part) * (corner & 4 ? z.part : 1 - z.part);
    if (weight > 0)
      value += weight * read(corner & 1 ? x.high : x.low, corner & 2 ? y.high : y.low, corner & 4 ? z.high : z.low);
  }
  return value;
}

/// x, y, z: the crop.
struct CropKernel {
  static constexpr const char* name = "volume/crop";
  const float* in;
  float* out;
  VoxelSteps steps;  ///< of the turned grid in `in`
  VoxelBox box;
  int nx, ny, nz;
  bool nearest;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x0, int y, int z) const {
    const auto read = [this](int i, int j, int k) {
      return in[steps.at(box.first[0] + i, box.first[1] + j, box.first[2] + k)];
    };
    for (int x = x0; x < x0 + Lanes::width; ++x)
      out[(static_cast<std::int64_t>(z) * ny + y) * nx + x] =
          nearest ? read(covering(x, box.size[0], nx), covering(y, box.size[1], ny), covering(z, box.size[2], nz))
                  : between_voxels(Between::at(x, box.size[0], nx), Between::at(y, box.size[1], ny),
                                   Between::at(z, box.size[2], nz), read);
  }
};

/// x, y, z: the turned grid that the crop came from. Beyond the box stands `outside`.
template <class T>
struct PasteKernel {
  static constexpr const char* name = "volume/paste";
  const T* in;
  T* out;
  VoxelSteps steps;  ///< of the turned grid in `out`
  VoxelBox box;
  int nx, ny, nz;  ///< of the crop
  bool nearest;
  T outside;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x0, int y, int z) const {
    const auto read = [this](int i, int j, int k) { return in[(static_cast<std::int64_t>(k) * ny + j) * nx + i]; };
    for (int x = x0; x < x0 + Lanes::width; ++x) {
      const int at[3] = {x - box.first[0], y - box.first[1], z - box.first[2]};
      T value = outside;
      if (at[0] >= 0 && at[0] < box.size[0] && at[1] >= 0 && at[1] < box.size[1] && at[2] >= 0 && at[2] < box.size[2])
        value = nearest ? read(covering(at[0], nx, box.size[0]), covering(at[1], ny, box.size[1]),
                               covering(at[2], nz, box.size[2]))
                        : static_cast<T>(between_voxels(Between::at(at[0], nx, box.size[0]),
                                                        Between::at(at[1], ny, box.size[1]),
                                                        Between::at(at[2], nz, box.size[2]), read));
      out[steps.at(x, y, z)] = value;
    }
  }
};

}  // namespace isocenter::detail
