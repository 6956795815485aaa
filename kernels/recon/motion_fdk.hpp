#pragma once
// Back projection along moved positions: what FdkBackProject does, with each voxel taken where the tissue was in each
// view (Rit, Wolthaus, van Herk and Sonke, "On-the-fly motion-compensated cone-beam CT using an a priori model of the
// respiratory motion", Med. Phys. 36 (2009) 2283).
#include "core/launch.hpp"
#include "recon/fdk.hpp"

namespace isocenter::detail {

/// Which two frames of a displacement field a view lies between, and how far it is past the first.
struct MotionMoment {
  int first, second;
  float part;
};

/// A displacement field's grid against the volume's: voxel x is at node (x - origin) * per_voxel, for each axis.
struct MotionGrid {
  int nx, ny, nz;
  float origin[3];     ///< the voxel at node 0
  float per_voxel[3];  ///< nodes for one voxel
  int nodes() const { return nx * ny * nz; }
};

/// blended[view][axis][node] = the displacement at the view's moment, in voxels, from components in mm, whose frames
/// lie frame_stride floats apart. Launched over nodes × views.
struct MotionBlend {
  static constexpr const char* name = "recon/motion_blend";
  const float *x_mm, *y_mm, *z_mm;
  const MotionMoment* moments;
  float* blended;
  int nodes;
  std::int64_t frame_stride;
  float voxels_per_mm[3];

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int view, int) const {
    const MotionMoment m = moments[view];
    const std::int64_t a = m.first * frame_stride + x, b = m.second * frame_stride + x;
    const float* from[3] = {x_mm, y_mm, z_mm};
    for (int axis = 0; axis < 3; ++axis) {
      const auto p = load(lanes, from[axis] + a), q = load(lanes, from[axis] + b);
      store(blended + (static_cast<std::int64_t>(view) * 3 + axis) * nodes + x,
            (p + m.part * (q - p)) * voxels_per_mm[axis]);
    }
  }
};

struct MotionBackProject {
  static constexpr const char* name = "recon/motion_back_project";
  FdkStack stack;
  const FdkMatrix* matrices;
  int views;
  const float* blended;  ///< views × 3 × nodes, in voxels
  MotionGrid grid;
  float* volume;
  int nx, ny, nz;
  float initial;
  bool goes_on;
  int column_axis = 2;  ///< for the tuned variants: the volume's axis nearest to the detector's columns

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int z) const {
    using Float = typename Lanes::Float;
    float* voxel = volume + (static_cast<std::int64_t>(z) * ny + y) * nx + x;
    const Float xs = to_float(Lanes::iota(x));
    const float yf = to_float(y), zf = to_float(z);
    // The voxel in the field's grid; beyond it the nearest node counts.
    const Float gx = clamp((xs - grid.origin[0]) * grid.per_voxel[0], 0.0F, to_float(grid.nx - 1));
    const float gy = clamp((yf - grid.origin[1]) * grid.per_voxel[1], 0.0F, to_float(grid.ny - 1));
    const float gz = clamp((zf - grid.origin[2]) * grid.per_voxel[2], 0.0F, to_float(grid.nz - 1));
    const auto ix = floor_to_int(gx);
    const int iy = floor_to_int(gy), iz = floor_to_int(gz);
    const Float fx = gx - to_float(ix);
    const float fy = gy - to_float(iy), fz = gz - to_float(iz);
    const auto jx = clamp(ix + 1, 0, grid.nx - 1);
    const int row00 = (iz * grid.ny + iy) * grid.nx, down = min(iy + 1, grid.ny - 1) - iy,
              below = min(iz + 1, grid.nz - 1) - iz;
    const int row01 = row00 + down * grid.nx, row10 = row00 + below * grid.ny * grid.nx, row11 = row10 + down * grid.nx;
    const float w00 = (1.0F - fy) * (1.0F - fz), w01 = fy * (1.0F - fz), w10 = (1.0F - fy) * fz, w11 = fy * fz;
    const int nodes = grid.nx * grid.ny * grid.nz;

    Float sum = goes_on ? load(lanes, voxel) : Float{} + initial;
    for (int n = 0; n < views; ++n) {
      const float* field = blended + static_cast<std::int64_t>(n) * 3 * nodes;
      const auto moved = [&](const float* from) __attribute__((always_inline)) {
        const Float a = (w00 * gather(from + row00, ix) + w01 * gather(from + row01, ix)) +
                        (w10 * gather(from + row10, ix) + w11 * gather(from + row11, ix));
        const Float b = (w00 * gather(from + row00, jx) + w01 * gather(from + row01, jx)) +
                        (w10 * gather(from + row10, jx) + w11 * gather(from + row11, jx));
        return a + fx * (b - a);
      };
      const Float px = xs + moved(field), py = yf + moved(field + nodes), pz = zf + moved(field + 2 * nodes);
      const float* m = matrices[n].m;
      const Float r = 1.0F / (m[8] * px + (m[9] * py + (m[10] * pz + m[11])));
      const Float u = clamp((m[0] * px + (m[1] * py + (m[2] * pz + m[3]))) * r, -1.0F, to_float(stack.columns));
      const Float v = clamp((m[4] * px + (m[5] * py + (m[6] * pz + m[7]))) * r, -1.0F, to_float(stack.rows));
      const auto iu = clamp(floor_to_int(u), -1, stack.columns - 1);
      const auto iv = floor_to_int(v);
      const Float fu = u - to_float(iu), fv = v - to_float(iv);
      const float* view = stack.column(n, 0);
      const auto at = iu * stack.row_stride + iv;
      const Float p0 = gather(view, at), p1 = gather(view, at + 1);
      const Float q0 = gather(view, at + stack.row_stride), q1 = gather(view, at + (stack.row_stride + 1));
      const Float p = p0 + fv * (p1 - p0), q = q0 + fv * (q1 - q0);
      sum += r * r * (p + fu * (q - p));
    }
    store(voxel, sum);
  }
};

}  // namespace isocenter::detail
