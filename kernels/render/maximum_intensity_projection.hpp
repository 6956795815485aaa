#pragma once
#include "render/bricks.hpp"
#include "render/ray.hpp"

namespace isocenter::detail {

enum class ProjectionMode { maximum, minimum, mean };

/// One pixel of an intensity projection: the largest, smallest or mean value of the samples on a ray, in a grey window.
/// Samples stand in the middle of equal steps of at most `step` mm through the whole of the volume, voxel faces
/// included, so that a ray along an axis at steps of one voxel meets the voxels' own values.
///
/// With `bound.distance` set (the bricks' largest values for maximum, smallest for minimum), bricks that cannot change
/// the result are passed over; the picture is the same bit for bit.
struct IntensityProjectionKernel {
  static constexpr const char* name = "render/intensity_projection";
  static constexpr int kAllSamples = 1 << 24;  ///< more than a ray has
  Sampler volume;
  BrickGrid bound;
  Camera camera;
  float inverse_spacing[3];  ///< 1/mm
  float step;
  ProjectionMode mode;
  GreyWindow window;
  std::uint8_t* pixels;  ///< of one frame, RGB
  int width, height;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int) const {
    using Float = typename Lanes::Float;
    const Ray<Float> ray =
        ray_of(camera, volume, inverse_spacing, to_float(Lanes::iota(x)), Float{} + static_cast<float>(y));
    const auto count = step_count(ray.length, step);
    const Float dt = ray.length / max(to_float(count), Float{} + 1.0F);
    const Float first = ray.begin + 0.5F * dt;
    const Float per_step = 1.0F / max(dt, Float{} + 1e-6F);
    const float sign = mode == ProjectionMode::minimum ? -1.0F : 1.0F;

    Float best = Float{} - 3e38F, sum = Float{};
    auto n = count * 0;
    auto alive = n < count;
    while (any(alive)) {
      auto same = n * 0 + kAllSamples;
      auto may_change = alive;
      if (bound.distance != nullptr) {
        const Float largest = brick_bound(ray, first + to_float(n) * dt, per_step, same) * sign;
        may_change = both(alive, largest > best);
      }
      const int run = any(may_change) ? smallest(select(may_change, same, n * 0 + kAllSamples)) : 0;
      for (int i = 0; i < run; ++i) {
        const auto taken = both(may_change, n + i < count);
        if (!any(taken)) break;
        const Float t = first + to_float(n + i) * dt;
        const Float v = volume.trilinear(lanes, ray.ox + t * ray.dx, ray.oy + t * ray.dy, ray.oz + t * ray.dz);
        best = select(taken, max(v * sign, best), best);  // in this order NaN loses
        if (mode == ProjectionMode::mean) sum += select(taken, v, Float{});
      }
      n = n + select(may_change, n * 0 + run, same);
      alive = n < count;
    }
    const Float value = mode == ProjectionMode::mean ? sum / max(to_float(count), Float{} + 1.0F) : best * sign;
    const Float grey = select(count > 0, window(value), Float{});
    store_rgb(pixels + (static_cast<std::int64_t>(y) * width + x) * 3, Rgb<Float>{grey, grey, grey});
  }

 private:
  /// The bound of the brick at t, and how many samples from there on are in it.
  template <class Float, class Int>
  ISOCENTER_HD Float brick_bound(const Ray<Float>& ray, Float t, Float per_step, Int& same) const {
    const Float sx = ray.ox + t * ray.dx, sy = ray.oy + t * ray.dy, sz = ray.oz + t * ray.dz;
    const auto brick =
        bound.at(clamp(sx, 0.0F, static_cast<float>(volume.nx - 1)), clamp(sy, 0.0F, static_cast<float>(volume.ny - 1)),
                 clamp(sz, 0.0F, static_cast<float>(volume.nz - 1)));
    same = bound.samples_inside(brick, sx, sy, sz, ray.dx, ray.dy, ray.dz, Float{}, per_step);
    return gather(bound.distance, brick.index);
  }
};

}  // namespace isocenter::detail
