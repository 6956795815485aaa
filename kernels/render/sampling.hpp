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
/// Four numbers of a table: p[i] to p[i + 3].
template <class Lanes, class Int, class Float>
ISOCENTER_HD void gather_four(Lanes, const float* p, Int i, Float (&v)[4]) {
  for (int c = 0; c < 4; ++c) v[c] = gather(p + c, i);
}

/// The eight voxels around a place, and where in between it is.
template <class Int, class Float>
struct Cell {
  Int i, j, k;  ///< the voxel before
  Int index;
  Float fx, fy, fz;

  template <class Value>
  ISOCENTER_HD Value mix_yz(Value ab, Value cd, Value ef, Value gh) const {
    const Value near = ab + fy * (cd - ab), far = ef + fy * (gh - ef);
    return near + fz * (far - near);
  }
};

/// One frame of a volume. At most 2^31 voxels.
struct Sampler {
  const float* voxels;
  int nx, ny, nz;

  ISOCENTER_HD int step_x() const { return nx > 1 ? 1 : 0; }
  ISOCENTER_HD int step_y() const { return ny > 1 ? nx : 0; }
  ISOCENTER_HD int step_z() const { return nz > 1 ? nx * ny : 0; }

  template <class Float>
  ISOCENTER_HD auto cell(Float x, Float y, Float z) const {
    using Int = decltype(to_int(x));
    x = clamp(x, 0.0F, static_cast<float>(nx - 1));
    y = clamp(y, 0.0F, static_cast<float>(ny - 1));
    z = clamp(z, 0.0F, static_cast<float>(nz - 1));
    Cell<Int, Float> c;
    c.i = clamp(to_int(x), 0, max(nx - 2, 0));
    c.j = clamp(to_int(y), 0, max(ny - 2, 0));
    c.k = clamp(to_int(z), 0, max(nz - 2, 0));
    c.index = (c.k * ny + c.j) * nx + c.i;
    c.fx = x - to_float(c.i);
    c.fy = y - to_float(c.j);
    c.fz = z - to_float(c.k);
    return c;
  }

  template <class Lanes, class Int, class Float>
  ISOCENTER_HD Float value(Lanes lanes, const Cell<Int, Float>& c) const {
    return c.mix_yz(pair_x(lanes, c.index, 0, c), pair_x(lanes, c.index, step_y(), c),
                    pair_x(lanes, c.index, step_z(), c), pair_x(lanes, c.index, step_z() + step_y(), c));
  }
  template <class Lanes, class Float>
  ISOCENTER_HD Float trilinear(Lanes lanes, Float x, Float y, Float z) const {
    return value(lanes, cell(x, y, z));
  }

  /// Half the difference of the interpolated values one voxel on and one voxel back, along each axis; the border voxel
  /// is repeated.
  template <class Lanes, class Int, class Float>
  ISOCENTER_HD void central_differences(Lanes lanes, const Cell<Int, Float>& c, Float& gx, Float& gy, Float& gz) const {
    const int sy = step_y(), sz = step_z();
    const Int back_x = select(c.i > 0, c.index - 1, c.index),
              on_x = select(c.i + 2 < nx, c.index + 2, c.index + step_x());
    gx = 0.5F * c.mix_yz(slope_x(lanes, back_x, on_x, 0, c), slope_x(lanes, back_x, on_x, sy, c),
                         slope_x(lanes, back_x, on_x, sz, c), slope_x(lanes, back_x, on_x, sz + sy, c));
    const Int back_y = select(c.j > 0, c.index - sy, c.index),
              on_y = select(c.j + 2 < ny, c.index + 2 * sy, c.index + sy);
    const Float near_y = slope_across(lanes, back_y, on_y, sy, 0, c, c.fy);
    const Float far_y = slope_across(lanes, back_y, on_y, sy, sz, c, c.fy);
    gy = 0.5F * (near_y + c.fz * (far_y - near_y));
    const Int back_z = select(c.k > 0, c.index - sz, c.index),
              on_z = select(c.k + 2 < nz, c.index + 2 * sz, c.index + sz);
    const Float near_z = slope_across(lanes, back_z, on_z, sz, 0, c, c.fz);
    const Float far_z = slope_across(lanes, back_z, on_z, sz, sy, c, c.fz);
    gz = 0.5F * (near_z + c.fy * (far_z - near_z));
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

 private:
  // Places are given as lanes of indices plus one offset for all lanes, which goes into the pointer.

  /// The value between two neighbours of a row.
  template <class Lanes, class Int, class Float>
  ISOCENTER_HD Float pair_x(Lanes lanes, Int index, int offset, const Cell<Int, Float>& c) const {
    Float a, b;
    gather_pair(lanes, voxels + offset, index, step_x(), a, b);
    return a + c.fx * (b - a);
  }
  /// The difference over two voxels of a row: from `back` over the cell's two voxels to `on`.
  template <class Lanes, class Int, class Float>
  ISOCENTER_HD Float slope_x(Lanes lanes, Int back, Int on, int offset, const Cell<Int, Float>& c) const {
    Float a, b;
    gather_pair(lanes, voxels + offset, c.index, step_x(), a, b);
    const Float first = b - gather(voxels + offset, back), second = gather(voxels + offset, on) - a;
    return first + c.fx * (second - first);
  }
  /// The same across rows or slices, `step` apart.
  template <class Lanes, class Int, class Float>
  ISOCENTER_HD Float slope_across(Lanes lanes, Int back, Int on, int step, int offset, const Cell<Int, Float>& c,
                                  Float f) const {
    const Float first = pair_x(lanes, c.index, step + offset, c) - pair_x(lanes, back, offset, c);
    const Float second = pair_x(lanes, on, offset, c) - pair_x(lanes, c.index, offset, c);
    return first + f * (second - first);
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
