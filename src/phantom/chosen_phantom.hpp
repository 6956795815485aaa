#pragma once
// From an operator's parameters to solids.
#include <isocenter/operator.hpp>
#include <isocenter/phantom/phantom_parameters.hpp>

#include "phantom/phantom.hpp"

namespace isocenter::detail {

template <class Params>
ThoraxParams thorax_params(const Params& p, std::int64_t item) {
  ThoraxParams t;
  t.seed = static_cast<std::uint64_t>(p.seed + item);
  t.breathing_period_s = p.breathing_period_s;
  t.diaphragm_mm = p.diaphragm_mm;
  t.lesion_motion_mm = p.lesion_motion_mm;
  t.lesion_radius_mm = p.lesion_radius_mm;
  t.heart_period_s = p.heart_period_s;
  return t;
}

/// Fills `solids` with the phantom of item `item` at a time; allocates only the first time.
template <class Params>
void make_phantom(const Params& p, std::int64_t item, double time_s, Solids* solids) {
  switch (p.phantom) {
    case PhantomKind::shepp_logan:
      return shepp_logan(Contrast::original, p.radius_mm, solids);
    case PhantomKind::shepp_logan_modified:
      return shepp_logan(Contrast::modified, p.radius_mm, solids);
    case PhantomKind::water_cylinder:
      return water_cylinder(p.radius_mm, 0.5 * p.height_mm, solids);
    case PhantomKind::moving_thorax:
      return moving_thorax(thorax_params(p, item), time_s, solids);
  }
}

/// A list that no phantom outgrows.
inline Solids reserved_solids() {
  Solids s;
  s.list.reserve(max_primitives);
  return s;
}

/// How far from the axis the solids reach, mm.
double reach_from_axis_mm(const Solids& solids);

}  // namespace isocenter::detail
