#pragma once
#include "render/sampling.hpp"

namespace isocenter::detail {

/// A point of a regular grid in voxel coordinates of the source: start + x · across + y · down + z · next.
struct PlaneGrid {
  float start[3], across[3], down[3], next[3];

  template <class Float>
  struct Place {
    Float x, y, z;
  };
  /// Coordinates within 1e-3 of a voxel are that voxel's: rounding does not blur a plane that lies on voxels.
  template <class Float>
  ISOCENTER_HD Place<Float> at(Float x, float y, float z) const {
    return {snapped(start[0] + x * across[0] + (y * down[0] + z * next[0])),
            snapped(start[1] + x * across[1] + (y * down[1] + z * next[1])),
            snapped(start[2] + x * across[2] + (y * down[2] + z * next[2]))};
  }

 private:
  template <class Float>
  static ISOCENTER_HD Float snapped(Float v) {
    const Float whole = to_float(floor_to_int(v + 0.5F));
    const Float d = v - whole;
    return select(max(d, 0.0F - d) < 1e-3F, whole, v);
  }
};

enum class SlabMode { mean, maximum, minimum };

/// One voxel of a resampled volume: the mean, largest or smallest of `samples` values across a slab, one for a plane.
/// Samples outside the source do not count; where all are outside stands `outside`. Launched over the output's
/// nx × ny × (nz · frames).
struct ReformatKernel {
  static constexpr const char* name = "render/multi_planar_reformat";
  Sampler source;  ///< the first time frame
  float* out;
  int nx, ny, nz;
  PlaneGrid grid;
  float slab_first[3], slab_step[3];  ///< from a plane's point to the first sample, and from one to the next
  int samples;
  SlabMode mode;
  bool nearest;
  float outside;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int z) const {
    using Float = typename Lanes::Float;
    const int slice = z % nz;
    Sampler frame = source;
    frame.voxels += static_cast<std::int64_t>(z / nz) * source.nx * source.ny * source.nz;
    Float sum = Float{}, count = Float{}, most = Float{} - 3e38F, least = Float{} + 3e38F;
    for (int s = 0; s < samples; ++s) {
      PlaneGrid moved = grid;
      for (int a = 0; a < 3; ++a) moved.start[a] += slab_first[a] + static_cast<float>(s) * slab_step[a];
      const auto p = moved.at(to_float(Lanes::iota(x)), static_cast<float>(y), static_cast<float>(slice));
      const auto in = inside_volume(frame, p.x, p.y, p.z);
      const Float v = nearest ? frame.nearest(lanes, p.x, p.y, p.z) : frame.trilinear(lanes, p.x, p.y, p.z);
      sum += select(in, v, Float{});
      count += select(in, Float{} + 1.0F, Float{});
      most = select(in, max(v, most), most);
      least = select(in, min(v, least), least);
    }
    const Float value = mode == SlabMode::mean      ? sum / max(count, Float{} + 1.0F)
                        : mode == SlabMode::maximum ? most
                                                    : least;
    store(out + (static_cast<std::int64_t>(z) * ny + y) * nx + x, select(count > 0.0F, value, Float{} + outside));
  }
};

}  // namespace isocenter::detail
