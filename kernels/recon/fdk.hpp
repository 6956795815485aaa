#pragma once
// Back projection of filtered cone-beam views into a volume (Feldkamp, Davis and Kress, "Practical cone-beam
// algorithm", J. Opt. Soc. Am. A 1 (1984) 612, equation 15): every voxel sums, over the views, the filtered projection
// at the point where its ray meets the detector, times the square of (source to axis) / (source to voxel, along the
// central ray). This is the reference; fdk_simd.hpp and fdk_tuned.cuh hold the fast ones.
#include <cstdint>

#include "core/lanes.hpp"

namespace isocenter::detail {

/// Filtered views, each transposed: detector columns one after the other, rows contiguous, zeros all around, so that no
/// kernel asks whether a sample lies on the detector.
struct FdkStack {
  static constexpr int pad = 32;  ///< zeros before row 0 and after the last row
  float* data;
  int columns, rows;
  int row_stride;            ///< floats from one column to the next: pad + rows rounded up to 16 + pad
  std::int64_t view_stride;  ///< floats from one view to the next: (columns + 2) * row_stride

  static constexpr int row_stride_of(int rows) { return pad + (rows + 15) / 16 * 16 + pad; }
  static constexpr FdkStack describe(float* data, int columns, int rows) {
    const int stride = row_stride_of(rows);
    return {data, columns, rows, stride, static_cast<std::int64_t>(columns + 2) * stride};
  }
  /// Row 0 of a column, -1 <= column <= columns.
  ISOCENTER_HD float* column(std::int64_t view, int column) const {
    return data + view * view_stride + static_cast<std::int64_t>(column + 1) * row_stride + pad;
  }
};

/// One view's projection of voxel (x, y, z), for the column u, the row v and the weight: with
///   w = m[8] x + m[9] y + m[10] z + m[11], u w = m[0] x + ..., v w = m[4] x + ...
/// w is the voxel's distance from the source along the detector's normal, over that of the isocentre.
struct FdkMatrix {
  float m[12];
};

struct FdkBackProject {
  static constexpr const char* name = "recon/fdk_back_project";
  FdkStack stack;
  const FdkMatrix* matrices;  ///< one for each view of the stack
  int views;
  float* volume;
  int nx, ny, nz;
  float initial;         ///< what the sum starts with when it does not go on from the volume
  bool goes_on = false;  ///< add to what the volume holds
  /// Tuned variants: the volume's axis along which detector columns run.
  int column_axis = 2;
  /// The weight is r, not r²: back projection in a plane. Not for the tuned variants.
  bool in_plane = false;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int z) const {
    using Float = typename Lanes::Float;
    float* voxel = volume + (static_cast<std::int64_t>(z) * ny + y) * nx + x;
    const Float xs = to_float(Lanes::iota(x));
    const float yf = to_float(y), zf = to_float(z);
    Float sum = goes_on ? load(lanes, voxel) : Float{} + initial;
    for (int n = 0; n < views; ++n) {
      const float* m = matrices[n].m;
      const Float r = 1.0F / (m[8] * xs + (m[9] * yf + m[10] * zf + m[11]));
      const Float u = clamp((m[0] * xs + (m[1] * yf + m[2] * zf + m[3])) * r, -1.0F, to_float(stack.columns));
      const Float v = clamp((m[4] * xs + (m[5] * yf + m[6] * zf + m[7])) * r, -1.0F, to_float(stack.rows));
      const auto iu = clamp(floor_to_int(u), -1, stack.columns - 1);
      const auto iv = floor_to_int(v);
      const Float fu = u - to_float(iu), fv = v - to_float(iv);
      const float* view = stack.column(n, 0);
      const auto at = iu * stack.row_stride + iv;
      const Float p0 = gather(view, at), p1 = gather(view, at + 1);
      const Float q0 = gather(view, at + stack.row_stride), q1 = gather(view, at + (stack.row_stride + 1));
      const Float p = p0 + fv * (p1 - p0), q = q0 + fv * (q1 - q0);
      sum += r * (in_plane ? Float{} + 1.0F : r) * (p + fu * (q - p));
    }
    store(voxel, sum);
  }
};

/// A back projection as its tuned variants see it: the volume's axes renamed, so that detector columns run along z.
struct FdkColumns {
  FdkStack stack;
  const FdkMatrix* matrices;
  int views;
  float* volume;
  int nx, ny, nz;
  std::int64_t x_stride, y_stride, z_stride;  ///< floats from one voxel to the next
  int x_axis, y_axis, z_axis;                 ///< which column of a matrix's rows belongs to x, y, z
  float initial;
  bool goes_on;

  ISOCENTER_HD explicit FdkColumns(const FdkBackProject& job)
      : stack(job.stack),
        matrices(job.matrices),
        views(job.views),
        volume(job.volume),
        x_axis(job.column_axis == 0 ? 1 : 0),
        y_axis(job.column_axis == 2 ? 1 : 2),
        z_axis(job.column_axis),
        initial(job.initial),
        goes_on(job.goes_on) {
    const int extent[3] = {job.nx, job.ny, job.nz};
    const std::int64_t stride[3] = {1, job.nx, static_cast<std::int64_t>(job.nx) * job.ny};
    nx = extent[x_axis], ny = extent[y_axis], nz = extent[z_axis];
    x_stride = stride[x_axis], y_stride = stride[y_axis], z_stride = stride[z_axis];
  }
};

}  // namespace isocenter::detail
