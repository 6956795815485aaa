#pragma once
// Line integrals through a volume and their exact adjoint after Joseph, "An improved algorithm for reprojecting rays
// through pixel images", IEEE Trans. Med. Imaging 1 (1982) 192: a ray meets one plane of voxel centres after the other
// along the axis on which it moves fastest; in each the volume is interpolated linearly (bilinearly in 3-D, zero beyond
// the outermost centres' neighbours), and the samples' sum is multiplied with the ray's length between two planes.
//
// Rays come in lines: runs of detector elements at equal steps along a straight line (a detector column; the only row
// of a 2-D scan). All rays of a line step along the same axis, the fastest one of the line's middle ray, so that what
// they share is computed once, in double, when the scan is planned. This is the reference, for any trajectory;
// joseph_simd.hpp holds the fast ones.
#include <cstdint>

#include "core/lane_math.hpp"

namespace isocenter::detail {

/// A line of rays in voxel indices. Ray j meets plane k of `axis` at
///   b = ((b0 + b1 j) + (k - centre) (b_step0 + b_step1 j)) / (1 + r1 j), and so for c,
/// where b and c are the other two axes (JosephPlane); between two planes it goes
///   sqrt(l0 + l1 j + l2 j²) / |1 + r1 j| mm.
struct JosephLine {
  float r1;
  float b0, b1, b_step0, b_step1;
  float c0, c1, c_step0, c_step1;
  float l0, l1, l2;
  float centre;
  std::int32_t axis;
  std::int32_t first, last;  ///< the planes between source and detector; none when last < first
  std::int32_t begin, end;   ///< the elements that belong to the line
};

/// How the planes of one axis lie in memory.
struct JosephPlane {
  std::int32_t na, nb, nc;          ///< number of planes, and their extents
  std::int32_t stride_b, stride_c;  ///< floats
  std::int64_t stride_a;
};

/// Where projections lie in memory while a projector works on them: view after view, in it line after line, `stride`
/// floats each, of which the first `elements` count and the rest are zero.
struct LineStack {
  std::int32_t lines, elements, stride;
  ISOCENTER_HD std::int64_t view_stride() const { return static_cast<std::int64_t>(lines) * stride; }
};

/// What both projectors know of a scan.
struct JosephScan {
  const JosephLine* lines;    ///< `runs` for each line of each view
  const std::int32_t* order;  ///< the view that place n of the stack belongs to
  std::int32_t views;         ///< places in the stack
  std::int32_t runs;          ///< how many JosephLines share a line of the stack; they begin at multiples of 8
  LineStack stack;
  JosephPlane plane[3];

  ISOCENTER_HD const JosephLine* line(int place, int line) const {
    return lines + (static_cast<std::int64_t>(order[place]) * stack.lines + line) * runs;
  }
};

ISOCENTER_HD void add_at(float* p, int i, float v) { p[i] += v; }
#if !defined(__CUDACC__)
ISOCENTER_HD void add_at(float* p, int8 i, float8 v) {
  for (int k = 0; k < 8; ++k) p[i[k]] += v[k];
}
#endif

/// Forward projection: launched over stack.stride × stack.lines × views; writes every float of the stack.
struct JosephForward {
  static constexpr const char* name = "recon/joseph_forward";
  JosephScan scan;
  const float* volume;
  float* out;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int z) const {
    using Float = typename Lanes::Float;
    Float result = Float{};
    const JosephLine* all = scan.line(z, y);
    for (int r = 0; r < scan.runs; ++r) {
      const JosephLine& line = all[r];
      if (x < line.begin || x >= line.end) continue;
      const Float j = to_float(Lanes::iota(x));
      result = select(j < to_float(line.end), integral(line, j), Float{});
    }
    store(out + z * scan.stack.view_stride() + static_cast<std::int64_t>(y) * scan.stack.stride + x, result);
  }

  template <class Float>
  ISOCENTER_HD Float integral(const JosephLine& line, Float j) const {
    const JosephPlane& p = scan.plane[line.axis];
    const Float r = 1.0F / (1.0F + line.r1 * j);
    const Float b_centre = (line.b0 + line.b1 * j) * r, b_step = (line.b_step0 + line.b_step1 * j) * r;
    const Float c_centre = (line.c0 + line.c1 * j) * r, c_step = (line.c_step0 + line.c_step1 * j) * r;
    Float sum = Float{};
    for (int k = line.first; k <= line.last; ++k) {
      const float along = to_float(k) - line.centre;
      const Float b = clamp(b_centre + along * b_step, -1.0F, to_float(p.nb));
      const Float c = clamp(c_centre + along * c_step, -1.0F, to_float(p.nc));
      const auto ic = floor_to_int(c);
      const Float fc = c - to_float(ic);
      const auto ic0 = clamp(ic, 0, p.nc - 1), ic1 = clamp(ic + 1, 0, p.nc - 1);
      const Float c_low = select(ic == ic0, 1.0F - fc, Float{}), c_high = select(ic + 1 == ic1, fc, Float{});
      const auto low_c = ic0 * p.stride_c, high_c = ic1 * p.stride_c;
      const float* plane = volume + k * p.stride_a;
      if (p.nb == 1) {  // a 2-D scan
        const Float near = max(1.0F - max(b, -b), Float{});
        sum += near * (c_low * gather(plane, low_c) + c_high * gather(plane, high_c));
        continue;
      }
      const auto ib = floor_to_int(b);
      const Float fb = b - to_float(ib);
      const auto ib0 = clamp(ib, 0, p.nb - 1), ib1 = clamp(ib + 1, 0, p.nb - 1);
      const Float b_low = select(ib == ib0, 1.0F - fb, Float{}), b_high = select(ib + 1 == ib1, fb, Float{});
      const auto low_b = ib0 * p.stride_b, high_b = ib1 * p.stride_b;
      sum += b_low * (c_low * gather(plane, low_b + low_c) + c_high * gather(plane, low_b + high_c)) +
             b_high * (c_low * gather(plane, high_b + low_c) + c_high * gather(plane, high_b + high_c));
    }
    return sum * square_root(line.l0 + j * (line.l1 + j * line.l2)) * max(r, -r);
  }
};

/// The adjoint of JosephForward without atomics: position (x, y) owns the voxels of row c = x in plane y of `axis` and
/// adds to them what every ray gives that passes within one voxel of the row. Launched over nc × na × 1 for each axis
/// in turn, on a volume of zeros.
struct JosephAdjoint {
  static constexpr const char* name = "recon/joseph_adjoint";
  JosephScan scan;
  const float* in;
  float* volume;
  std::int32_t axis;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    const JosephPlane& p = scan.plane[axis];
    const auto row = Lanes::iota(x);
    float* const plane = volume + y * p.stride_a;
    for (int place = 0; place < scan.views; ++place) {
      const float* view = in + place * scan.stack.view_stride();
      for (int l = 0; l < scan.stack.lines; ++l) {
        const JosephLine* all = scan.line(place, l);
        for (int r = 0; r < scan.runs; ++r) {
          const JosephLine& line = all[r];
          if (line.axis != axis || y < line.first || y > line.last) continue;
          spread<Lanes>(line, view + static_cast<std::int64_t>(l) * scan.stack.stride, row, y, plane);
        }
      }
    }
  }

  template <class Lanes>
  ISOCENTER_HD void spread(const JosephLine& line, const float* values, typename Lanes::Int row, int k,
                           float* plane) const {
    using Float = typename Lanes::Float;
    const JosephPlane& p = scan.plane[axis];
    const Float rows = to_float(row);
    const float along = to_float(k) - line.centre;
    const float a0 = line.c0 + along * line.c_step0, a1 = line.c1 + along * line.c_step1;
    // The rays with |c - row| < 1: c = (a0 + a1 j) / (1 + r1 j) solved for j at row - 1 and row + 1. Where it has no
    // solution between, all rays are tried.
    const Float below = a1 - (rows - 1.0F) * line.r1, above = a1 - (rows + 1.0F) * line.r1;
    const auto solved = below * above > 1e-12F;
    const Float j_below = (rows - 1.0F - a0) / select(solved, below, Float{} + 1.0F);
    const Float j_above = (rows + 1.0F - a0) / select(solved, above, Float{} + 1.0F);
    const float begin = to_float(line.begin), end = to_float(line.end - 1);
    const Float low = select(solved, clamp(min(j_below, j_above) - 0.01F, begin, end + 1.0F), Float{} + begin);
    const Float high = select(solved, clamp(max(j_below, j_above) + 0.01F, begin - 1.0F, end), Float{} + end);
    Float own = Float{};  // of a 2-D scan
    for (auto j = floor_to_int(low); any(to_float(j) <= high); j = j + 1) {
      const Float jf = to_float(j);
      const Float r = 1.0F / (1.0F + line.r1 * jf);
      const Float c = (a0 + a1 * jf) * r;
      const Float b =
          clamp(((line.b0 + line.b1 * jf) + along * (line.b_step0 + line.b_step1 * jf)) * r, -1.0F, to_float(p.nb));
      const Float near = 1.0F - max(c - rows, rows - c);
      const Float weight = select(jf <= high, max(near, Float{}), Float{}) *
                           square_root(line.l0 + jf * (line.l1 + jf * line.l2)) * max(r, -r);
      const Float value = weight * gather(values, clamp(j, line.begin, line.end - 1));
      if (p.nb == 1) {
        own += value * max(1.0F - max(b, -b), Float{});
        continue;
      }
      const auto ib = floor_to_int(b);
      const Float fb = b - to_float(ib);
      const auto low = clamp(ib, 0, p.nb - 1), high_b = clamp(ib + 1, 0, p.nb - 1);
      add_at(plane, low * p.stride_b + row * p.stride_c, select(ib == low, value * (1.0F - fb), Float{}));
      add_at(plane, high_b * p.stride_b + row * p.stride_c, select(ib + 1 == high_b, value * fb, Float{}));
    }
    if (p.nb == 1) add_at(plane, row * p.stride_c, own);
  }
};

}  // namespace isocenter::detail
