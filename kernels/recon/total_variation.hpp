#pragma once
// The proximal map of total variation by projected gradients on the dual: Chambolle, "An algorithm for total variation
// minimization and applications", J. Math. Imaging Vis. 20 (2004) 89, in the form of Beck and Teboulle, "Fast
// gradient-based algorithms for constrained total variation image denoising and deblurring problems", IEEE Trans. Image
// Process. 18 (2009) 2419, section IV, with bounds on the image. Isotropic: ‖∇u‖ is the length of the forward
// differences, each divided by its spacing in parts of the smallest one; none across the border.
//
// u minimises ½‖u - z‖² + Σ_i weight_i TV(u - prior_i) over what bounds and mask allow. The dual field i has three
// components, one volume after the other.
#include "core/lane_math.hpp"

namespace isocenter::detail {

struct TvGrid {
  std::int32_t n[3];       ///< extents: along the launched x, y, z
  std::int64_t stride[3];  ///< floats; stride[0] = 1
  float per_step[3];       ///< the smallest spacing over this axis's
  std::int64_t component;  ///< floats from one component of a field to the next
  /// 1 where another process has the slices before and behind these: then one of them lies before the third component
  /// of the fields, and one behind u and the prior.
  std::int32_t below = 0, above = 0;
};

/// u = what the bounds allow of z - Σ weight_i ∇'p_i. Launched over the grid's extents.
struct TvPrimal {
  static constexpr const char* name = "recon/tv_primal";
  TvGrid grid;
  const float* z;
  const float* field[2];  ///< the second may be null
  float weight[2];
  const float* mask;  ///< may be null
  bool positive;
  float* u;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int k) const {
    using Float = typename Lanes::Float;
    const std::int64_t at = k * grid.stride[2] + y * grid.stride[1] + x;
    Float v = load(lanes, z + at);
    const auto xs = Lanes::iota(x);
    for (int i = 0; i < 2; ++i) {
      if (field[i] == nullptr) continue;
      const float* p = field[i] + at;
      // ∇' of a field whose component beyond the last difference of each axis is zero.
      const Float before = select(xs > 0, gather(p - x, max(xs - 1, xs - xs)), Float{});
      Float divergence = grid.per_step[0] * (before - load(lanes, p));
      p += grid.component;
      const Float before_y = y > 0 ? load(lanes, p - grid.stride[1]) : Float{};
      divergence = divergence + grid.per_step[1] * (before_y - load(lanes, p));
      p += grid.component;
      const Float before_z = k + grid.below > 0 ? load(lanes, p - grid.stride[2]) : Float{};
      divergence = divergence + grid.per_step[2] * (before_z - load(lanes, p));
      v = v - weight[i] * divergence;
    }
    if (positive) v = max(v, Float{});
    if (mask != nullptr) v = v * load(lanes, mask + at);
    store(u + at, v);
  }
};

/// p = the projection of p + step · ∇(u - prior) onto vectors of length 1. Launched over the grid's extents.
struct TvDual {
  static constexpr const char* name = "recon/tv_dual";
  TvGrid grid;
  const float* u;
  const float* prior;  ///< may be null
  float* field;
  float step;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int k) const {
    using Float = typename Lanes::Float;
    const std::int64_t at = k * grid.stride[2] + y * grid.stride[1] + x;
    const auto xs = Lanes::iota(x);
    const auto next = min(xs + 1, xs - xs + (grid.n[0] - 1));
    const Float here = value(lanes, at);
    Float dx = gather(u + at - x, next), dy = Float{}, dz = Float{};
    if (prior != nullptr) dx = dx - gather(prior + at - x, next);
    dx = select(xs < grid.n[0] - 1, dx - here, Float{});
    if (y < grid.n[1] - 1) dy = value(lanes, at + grid.stride[1]) - here;
    if (k < grid.n[2] - 1 + grid.above) dz = value(lanes, at + grid.stride[2]) - here;
    float* p = field + at;
    const Float px = load(lanes, p) + step * grid.per_step[0] * dx;
    const Float py = load(lanes, p + grid.component) + step * grid.per_step[1] * dy;
    const Float pz = load(lanes, p + 2 * grid.component) + step * grid.per_step[2] * dz;
    const Float shrink = min(inverse_sqrt(max(px * px + py * py + pz * pz, Float{} + 1e-12F)), Float{} + 1.0F);
    store(p, px * shrink);
    store(p + grid.component, py * shrink);
    store(p + 2 * grid.component, pz * shrink);
  }

 private:
  template <class Lanes>
  ISOCENTER_HD typename Lanes::Float value(Lanes lanes, std::int64_t at) const {
    const auto v = load(lanes, u + at);
    return prior != nullptr ? v - load(lanes, prior + at) : v;
  }
};

}  // namespace isocenter::detail
