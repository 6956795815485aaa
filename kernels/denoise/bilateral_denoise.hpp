#pragma once
#include <cstdint>

#include "core/lane_math.hpp"

namespace isocenter::detail {

/// One voxel of the 3-D bilateral filter (Tomasi and Manduchi, ICCV 1998, eq. 5 with the Gaussian case of section 2.1):
/// the mean of the neighbours within a radius, weighted by exp(-distance² / 2 σ_space² - difference² / 2 σ_range²).
/// Beyond the border stands the nearest voxel. `z` runs over the slices of all time frames; frames do not mix.
struct BilateralKernel {
  static constexpr const char* name = "denoise/bilateral_denoise";
  const float* in;
  float* out;
  int nx, ny, nz;
  int radius_x, radius_y, radius_z;  ///< voxels
  float space_x, space_y, space_z;   ///< spacing² / (2 σ_space²) of each axis
  float range;                       ///< 1 / (2 σ_range²)

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int z) const {
    using Float = typename Lanes::Float;
    const auto xs = Lanes::iota(x);
    const int frame_z = z - z % nz;
    const bool inside = x >= radius_x && x + Lanes::width + radius_x <= nx;  // no clamping in x is needed
    const std::int64_t here = row(y, z);
    const Float centre = load(Lanes{}, in + here + x);
    Float sum = centre * 0.0F, weight = sum;
    for (int k = -radius_z; k <= radius_z; ++k) {
      const int slice = frame_z + clamp(z - frame_z + k, 0, nz - 1);
      for (int j = -radius_y; j <= radius_y; ++j) {
        const float* line = in + row(clamp(y + j, 0, ny - 1), slice);
        const float across = space_y * static_cast<float>(j * j) + space_z * static_cast<float>(k * k);
        for (int i = -radius_x; i <= radius_x; ++i) {
          const Float v = inside ? load(Lanes{}, line + x + i) : gather(line, clamp(xs + i, 0, nx - 1));
          const Float d = v - centre;
          const Float w = exp_negative(d * d * range + (across + space_x * static_cast<float>(i * i)));
          sum += w * v;
          weight += w;
        }
      }
    }
    store(out + here + x, sum / weight);
  }

 private:
  ISOCENTER_HD std::int64_t row(int y, int z) const { return (static_cast<std::int64_t>(z) * ny + y) * nx; }
};

}  // namespace isocenter::detail
