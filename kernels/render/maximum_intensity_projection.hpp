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
      const Float t = first + to_float(n) * dt;
      const Float sx = ray.ox + t * ray.dx, sy = ray.oy + t * ray.dy, sz = ray.oz + t * ray.dz;
      auto jump = n * 0 + 1;
      auto counts = alive;
      if (bound.distance != nullptr) counts = both(alive, may_change(ray, sx, sy, sz, per_step, sign, best, jump));
      if (any(counts)) {
        const Float v = volume.trilinear(lanes, sx, sy, sz);
        best = select(counts, max(v * sign, best), best);  // in this order NaN loses
        if (mode == ProjectionMode::mean) sum += select(counts, v, Float{});
      }
      n = n + jump;
      alive = n < count;
    }
    const Float value = mode == ProjectionMode::mean ? sum / max(to_float(count), Float{} + 1.0F) : best * sign;
    const Float grey = select(count > 0, window(value), Float{});
    store_rgb(pixels + (static_cast<std::int64_t>(y) * width + x) * 3, Rgb<Float>{grey, grey, grey});
  }

 private:
  /// Whether the sample's brick can change the result; where not, `jump` leads to the first sample behind it.
  template <class Float, class Int>
  ISOCENTER_HD auto may_change(const Ray<Float>& ray, Float sx, Float sy, Float sz, Float per_step, float sign,
                               Float best, Int& jump) const {
    const auto brick =
        bound.at(clamp(sx, 0.0F, static_cast<float>(volume.nx - 1)), clamp(sy, 0.0F, static_cast<float>(volume.ny - 1)),
                 clamp(sz, 0.0F, static_cast<float>(volume.nz - 1)));
    const auto may = gather(bound.distance, brick.index) * sign > best;
    const Float here = Float{};
    const Float out = min(
        min(until_out(sx, ray.dx, brick.x, bound.bricks_x, here), until_out(sy, ray.dy, brick.y, bound.bricks_y, here)),
        until_out(sz, ray.dz, brick.z, bound.bricks_z, here));
    const auto far = to_int(clamp(out * per_step - 0.01F, 0.0F, 1e6F)) + 1;  // early, as in VolumeRenderKernel
    jump = select(may, jump, far);
    return may;
  }
};

}  // namespace isocenter::detail
