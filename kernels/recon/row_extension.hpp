#pragma once
// How the rows of a detector go on beyond a side that the object reaches over: what the ramp filter takes in place of
// readings there, in cones and in planes.
#include <cstdint>

#include "core/lane_math.hpp"
#include "core/launch.hpp"

namespace isocenter::detail {

enum class RowTruncation : int { none, roll_off, water_cylinder };

/// A row's end: the reading there and what it grows by from one column to the next, outwards.
template <class Float>
struct RowEdge {
  Float value, slope;
};

/// From the row's last readings, the outermost first: their straight line through two means of four. One reading alone
/// when there are fewer.
constexpr int row_edge_readings = 8;
template <class Float>
ISOCENTER_HD RowEdge<Float> row_edge(const Float* reading, int count) {
  if (count < row_edge_readings) return {reading[0], reading[0] * 0.0F};
  const Float near = 0.25F * ((reading[0] + reading[1]) + (reading[2] + reading[3]));
  const Float far = 0.25F * ((reading[4] + reading[5]) + (reading[6] + reading[7]));
  const Float slope = 0.25F * (near - far);
  return {near + 1.5F * slope, slope};
}

/// The ends of Lanes::width rows that begin at row[0], row[1], ...: the outermost reading's place, and the step
/// inwards.
template <class Lanes>
ISOCENTER_HD RowEdge<typename Lanes::Float> row_edges(const float* const* row, int outermost, int step, int count) {
  typename Lanes::Float last[row_edge_readings] = {};
  for (int k = 0; k < min(count, row_edge_readings); ++k)
    for (int lane = 0; lane < Lanes::width; ++lane) last[k][lane] = row[lane][outermost + step * k];
  return row_edge(last, count);
}

struct RowExtension {
  RowTruncation truncation = RowTruncation::none;
  bool left = false, right = false;  ///< the sides on which rows go on
  int columns = 0;                   ///< beyond the detector's side, after which the continued row is 0
  float mu_column = 0;               ///< water_cylinder: the attenuation of water along one column's step

  ISOCENTER_HD int before() const { return left ? columns : 0; }
  ISOCENTER_HD int after() const { return right ? columns : 0; }

  /// What stands `over` columns beyond a row's end. roll_off: the last reading, going smoothly to 0. water_cylinder:
  /// the cylinder of water whose chord and its slope are those of the end (Hsieh et al., Med. Phys. 31 (2004)
  /// 2385), taken for parallel rays; its outer half goes to 0 as well.
  template <class Float>
  ISOCENTER_HD Float beyond(const RowEdge<Float>& edge, Float over) const {
    const bool roll = truncation == RowTruncation::roll_off;
    const float length = to_float(columns + 1);
    const Float left = clamp((1.0F - over * (1.0F / length)) * (roll ? 1.0F : 2.0F), 0.0F, 1.0F);
    const Float taper = left * left * (3.0F - 2.0F * left);
    if (roll) return edge.value * taper;
    const Float half = edge.value * (0.5F / mu_column);
    const Float centre = edge.value * edge.slope * (-0.25F / (mu_column * mu_column)), at = centre + over;
    const Float squared = max((half * half + centre * centre) - at * at, Float{} + 1e-20F);
    return select((edge.value > 0.0F) & (squared > 1e-10F),
                  (2.0F * mu_column) * squared * inverse_sqrt(squared) * taper, Float{});
  }
};

}  // namespace isocenter::detail
