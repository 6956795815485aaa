#pragma once
#include <isocenter/recon/acquisition.hpp>

#include "device_test.hpp"

namespace isocenter::testing {

/// A payload of projections in memory, all of one value.
inline Projections projections_of(const CircularOrbit& orbit, float value = 0.0F) {
  Projections p = Projections::describe(orbit.views, orbit.rows, orbit.columns);
  set_views(p, orbit.build(), Beam::cone);
  context().allocate(p);
  for (float& v : p.views().span<float>()) v = value;
  return p;
}

constexpr CircularOrbit small_orbit{.views = 90, .columns = 32, .rows = 24, .column_step_mm = 10, .row_step_mm = 10};

}  // namespace isocenter::testing
