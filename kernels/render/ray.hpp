#pragma once
// Rays of a camera through a volume. The camera is given in voxel-aligned mm: the frame with its origin in the centre
// of voxel (0, 0, 0) and the voxel axes as its axes, so that its coordinates are spacing · voxel index.
#include "render/sampling.hpp"

namespace isocenter::detail {

/// Pixel (x, y), counted from the top left, has the ray origin + x · origin_x + y · origin_y + t · direction
/// (likewise), direction made to unit length, t in mm.
struct Camera {
  float origin[3], origin_x[3], origin_y[3];
  float direction[3], direction_x[3], direction_y[3];
};

template <class Float>
struct Ray {
  Float ox, oy, oz;     ///< voxel index where t = 0
  Float dx, dy, dz;     ///< voxel indices for each mm of t
  Float mx, my, mz;     ///< the unit direction in voxel-aligned mm
  Float begin, length;  ///< t where the ray enters the volume, and mm inside; length 0 when it misses
};

template <class Float>
ISOCENTER_HD void clip_axis(Float origin, Float direction, int n, Float& enter, Float& leave) {
  // A ray along the other axes gets a direction so small that it is inside, or outside, for the whole of its length.
  const Float tiny = Float{} + 1e-9F;
  const Float safe = select(direction > 0.0F, max(direction, tiny), min(direction, 0.0F - tiny));
  const Float a = (-0.5F - origin) / safe, b = (static_cast<float>(n) - 0.5F - origin) / safe;
  enter = max(enter, min(a, b));
  leave = min(leave, max(a, b));
}

/// The ray of pixel (x, y) through the volume of `s`; `inverse_spacing` is 1/mm.
template <class Float>
ISOCENTER_HD Ray<Float> ray_of(const Camera& c, const Sampler& s, const float* inverse_spacing, Float x, Float y) {
  Ray<Float> r;
  const Float ox = c.origin[0] + x * c.origin_x[0] + y * c.origin_y[0];
  const Float oy = c.origin[1] + x * c.origin_x[1] + y * c.origin_y[1];
  const Float oz = c.origin[2] + x * c.origin_x[2] + y * c.origin_y[2];
  const Float dx = c.direction[0] + x * c.direction_x[0] + y * c.direction_y[0];
  const Float dy = c.direction[1] + x * c.direction_x[1] + y * c.direction_y[1];
  const Float dz = c.direction[2] + x * c.direction_x[2] + y * c.direction_y[2];
  const Float unit = inverse_sqrt(dx * dx + dy * dy + dz * dz);
  r.mx = dx * unit;
  r.my = dy * unit;
  r.mz = dz * unit;
  r.ox = ox * inverse_spacing[0];
  r.oy = oy * inverse_spacing[1];
  r.oz = oz * inverse_spacing[2];
  r.dx = r.mx * inverse_spacing[0];
  r.dy = r.my * inverse_spacing[1];
  r.dz = r.mz * inverse_spacing[2];
  Float enter = Float{}, leave = Float{} + 1e9F;
  clip_axis(r.ox, r.dx, s.nx, enter, leave);
  clip_axis(r.oy, r.dy, s.ny, enter, leave);
  clip_axis(r.oz, r.dz, s.nz, enter, leave);
  r.begin = enter;
  r.length = max(leave - enter, 0.0F * enter);
  return r;
}

/// How many equal steps of at most `step` a length is cut into. Rounding does not add one.
template <class Float>
ISOCENTER_HD auto step_count(Float length, float step) {
  const auto whole = to_int(length * (1.0F / step) + 0.999F);
  return select(length > 0.0F, whole, whole * 0);
}

/// A number in [0, 1) that looks random from pixel to pixel (Jimenez, "Next generation post processing in Call of Duty:
/// Advanced Warfare", SIGGRAPH 2014 course, interleaved gradient noise).
template <class Float>
ISOCENTER_HD Float pixel_noise(Float x, Float y) {
  const Float inner = x * 0.06711056F + y * 0.00583715F;
  const Float outer = 52.9829189F * (inner - to_float(floor_to_int(inner)));
  return outer - to_float(floor_to_int(outer));
}

}  // namespace isocenter::detail
