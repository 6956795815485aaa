#pragma once
// Whether two grids cover the same part of the patient.
#include <algorithm>
#include <cmath>

#include "core/volume_input.hpp"

namespace isocenter::detail {

/// The largest distance in mm between the outer corners of two grids with their axes in the same order and sense.
inline double corners_apart_mm(const GridShape& a, const GridShape& b) {
  double apart = 0;
  for (int corner = 0; corner < 8; ++corner) {
    const auto end = [corner](int axis, int n) { return (corner >> axis & 1) != 0 ? n - 0.5 : -0.5; };
    const auto p = a.geometry.position_mm(end(0, a.nx), end(1, a.ny), end(2, a.nz));
    const auto q = b.geometry.position_mm(end(0, b.nx), end(1, b.ny), end(2, b.nz));
    apart = std::max(apart, std::hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]));
  }
  return apart;
}

/// A tenth of the shortest side of a grid's voxels: what corners may be apart by rounding.
inline double corner_tolerance_mm(const GridShape& grid) {
  const double* s = grid.geometry.spacing_mm;
  return 0.1 * std::min({s[0], s[1], s[2]});
}

}  // namespace isocenter::detail
