#pragma once
#include <cstdint>

#include "core/lane_math.hpp"

namespace isocenter::detail {

/// One voxel of 3-D non-local means (Buades, Coll, Morel, "A non-local algorithm for image denoising", CVPR 2005, in
/// the 3-D form of Coupé et al., IEEE TMI 27(4), 2008, section II): the mean of the voxels in a search box, each
/// weighted by how alike the patches around it and around this voxel are,
///   w = exp(-max(d² - 2 σ², 0) / h²),  d² = mean squared difference of the two patches,  h = strength · σ,
/// with the expectation 2 σ² of the noise taken off (Buades, Coll, Morel, Image Processing On Line 1, 2011, section 2).
/// The voxel itself has weight 1.
///
/// Voxels outside the volume are never averaged; a patch that reaches outside sees the nearest voxel. `z` runs over
/// the slices of all time frames; frames do not mix. NaN in the input spreads to the voxels whose search box holds it.
///
/// The tuned variants add the same terms in another order and with fused multiply-add. They differ from this by less
/// than 2e-4 · max(1, P / 27) · max |u| for patches of P voxels, where max |u| is over the search box: P + 2 roundings
/// in a distance, and one for each of the voxels averaged. Tests hold them to it.
struct NonLocalMeansKernel {
  static constexpr const char* name = "denoise/non_local_means";
  static constexpr const char* tuned_name = "denoise/non_local_means_tuned";  ///< on CUDA; the same arguments
  const float* in;
  float* out;
  int nx, ny, nz;
  int search_x, search_y, search_z;  ///< radii of the search box, voxels
  int patch_x, patch_y, patch_z;     ///< radii of a patch, voxels
  float strength;
  float sigma;            ///< the noise's standard deviation; 0: read it from `estimate`
  const float* estimate;  ///< one σ for each time frame, or null

  /// What the weights need of σ.
  struct Weights {
    float scale;   ///< 1 / (P h²)
    float offset;  ///< 2 σ² / h²
  };
  ISOCENTER_HD Weights weights(int frame) const {
    const float s = sigma > 0.0F ? sigma : estimate[frame];
    const float s2 = max(s * s, 1e-30F);  // no noise: only equal patches are averaged
    const float patch = static_cast<float>((2 * patch_x + 1) * (2 * patch_y + 1) * (2 * patch_z + 1));
    const float inverse_h2 = 1.0F / (strength * strength * s2);
    return {inverse_h2 / patch, 2.0F * s2 * inverse_h2};
  }

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int z) const {
    using Float = typename Lanes::Float;
    const auto xs = Lanes::iota(x);
    const int frame_z = z - z % nz;
    const int slice = z - frame_z;
    const float* volume = in + row(0, frame_z);
    const Weights c = weights(frame_z / nz);
    const Float zero = Float{};
    Float sum = load(Lanes{}, volume + row(y, slice) + x), weight = zero + 1.0F;
    for (int dz = -search_z; dz <= search_z; ++dz) {
      if (slice + dz < 0 || slice + dz >= nz) continue;
      for (int dy = -search_y; dy <= search_y; ++dy) {
        if (y + dy < 0 || y + dy >= ny) continue;
        for (int dx = -search_x; dx <= search_x; ++dx) {
          if (dx == 0 && dy == 0 && dz == 0) continue;
          const auto other = xs + dx;
          const Float d2 = patch_distance(volume, xs, y, slice, dx, dy, dz);
          const Float similar = exp_negative(max(d2 * c.scale - c.offset, zero));
          const Float w = select(other >= 0, select(other < nx, similar, zero), zero);
          sum += w * gather(volume + row(y + dy, slice + dz), clamp(other, 0, nx - 1));
          weight += w;
        }
      }
    }
    store(out + row(y, z) + x, sum / weight);
  }

 private:
  ISOCENTER_HD std::int64_t row(int y, int z) const { return (static_cast<std::int64_t>(z) * ny + y) * nx; }

  /// Sum of squared differences of the patches around (xs, y, z) and around the voxel (dx, dy, dz) from it.
  template <class Int>
  ISOCENTER_HD auto patch_distance(const float* volume, Int xs, int y, int z, int dx, int dy, int dz) const {
    auto d2 = to_float(xs) * 0.0F;
    const Int centre_b = clamp(xs + dx, 0, nx - 1);
    for (int k = -patch_z; k <= patch_z; ++k) {
      for (int j = -patch_y; j <= patch_y; ++j) {
        const float* a = volume + row(clamp(y + j, 0, ny - 1), clamp(z + k, 0, nz - 1));
        const float* b = volume + row(clamp(y + dy + j, 0, ny - 1), clamp(z + dz + k, 0, nz - 1));
        for (int i = -patch_x; i <= patch_x; ++i) {
          const auto d = gather(a, clamp(xs + i, 0, nx - 1)) - gather(b, clamp(centre_b + i, 0, nx - 1));
          d2 += d * d;
        }
      }
    }
    return d2;
  }
};

}  // namespace isocenter::detail
