#pragma once
// Reading a volume between its voxels. Coordinates are voxel indices: voxel (i, j, k) is at (i, j, k), and the volume
// reaches from -0.5 to n - 0.5; in its outer half voxel stands the border voxel's value.
#include "render/picture.hpp"

namespace isocenter::detail {

/// Two neighbours along x: p[i] and p[i + step].
template <class Lanes, class Int, class Float>
ISOCENTER_HD void gather_pair(Lanes, const float* p, Int i, int step, Float& a, Float& b) {
  a = gather(p, i);
  b = gather(p + step, i);
}

/// One frame of a volume. At most 2^31 voxels.
struct Sampler {
  const float* voxels;
  int nx, ny, nz;

  ISOCENTER_HD int step_x() const { return nx > 1 ? 1 : 0; }
  ISOCENTER_HD int step_y() const { return ny > 1 ? nx : 0; }
  ISOCENTER_HD int step_z() const { return nz > 1 ? nx * ny : 0; }

  template <class Lanes, class Float>
  ISOCENTER_HD Float trilinear(Lanes lanes, Float x, Float y, Float z) const {
    x = clamp(x, 0.0F, static_cast<float>(nx - 1));
    y = clamp(y, 0.0F, static_cast<float>(ny - 1));
    z = clamp(z, 0.0F, static_cast<float>(nz - 1));
    const auto i = clamp(to_int(x), 0, max(nx - 2, 0));
    const auto j = clamp(to_int(y), 0, max(ny - 2, 0));
    const auto k = clamp(to_int(z), 0, max(nz - 2, 0));
    const Float fx = x - to_float(i), fy = y - to_float(j), fz = z - to_float(k);
    const auto at = (k * ny + j) * nx + i;
    Float a, b, c, d, e, f, g, h;
    gather_pair(lanes, voxels, at, step_x(), a, b);
    gather_pair(lanes, voxels + step_y(), at, step_x(), c, d);
    gather_pair(lanes, voxels + step_z(), at, step_x(), e, f);
    gather_pair(lanes, voxels + step_z() + step_y(), at, step_x(), g, h);
    const Float ab = a + fx * (b - a), cd = c + fx * (d - c), ef = e + fx * (f - e), gh = g + fx * (h - g);
    const Float near = ab + fy * (cd - ab), far = ef + fy * (gh - ef);
    return near + fz * (far - near);
  }

  template <class Lanes, class Float>
  ISOCENTER_HD Float nearest(Lanes, Float x, Float y, Float z) const {
    return gather(voxels, nearest_index(x, y, z));
  }
  template <class Float>
  ISOCENTER_HD auto nearest_index(Float x, Float y, Float z) const {
    const auto i = to_int(clamp(x + 0.5F, 0.0F, static_cast<float>(nx) - 0.5F));
    const auto j = to_int(clamp(y + 0.5F, 0.0F, static_cast<float>(ny) - 0.5F));
    const auto k = to_int(clamp(z + 0.5F, 0.0F, static_cast<float>(nz) - 0.5F));
    return (k * ny + j) * nx + i;
  }
};

/// Whether v is within [-0.5, n - 0.5).
template <class Float>
ISOCENTER_HD auto inside_axis(Float v, int n) {
  return both(v >= -0.5F, v < static_cast<float>(n) - 0.5F);
}
template <class Float>
ISOCENTER_HD auto inside_volume(const Sampler& s, Float x, Float y, Float z) {
  return both(both(inside_axis(x, s.nx), inside_axis(y, s.ny)), inside_axis(z, s.nz));
}

}  // namespace isocenter::detail
