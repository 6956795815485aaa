#pragma once
#include "core/lane_math.hpp"
#include "render/picture.hpp"

namespace isocenter::detail {

/// What a value looks like: extinction in 1/mm and colour (linear light), linear between points, constant beyond the
/// first and the last. This form answers what a range of values shows; samples look it up in TransferTable.
struct TransferFunction {
  static constexpr int max_points = 24;
  struct Point {
    float value;       ///< increasing
    float channel[4];  ///< extinction, red, green, blue
    float slope[4];    ///< of each, up to the next point; 0 for the last
  };
  int count;
  Point points[max_points];

  template <class Float>
  ISOCENTER_HD Float channel(int c, Float v) const {
    Float result = Float{} + points[0].channel[c];
    for (int i = 0; i < count; ++i) {
      const Point& p = points[i];
      result = select(v >= p.value, p.channel[c] + (v - p.value) * p.slope[c], result);
    }
    return result;
  }
  template <class Float>
  ISOCENTER_HD Float extinction(Float v) const {
    return channel(0, v);
  }
  /// The largest extinction of any value in [low, high].
  template <class Float>
  ISOCENTER_HD Float largest_extinction(Float low, Float high) const {
    Float most = max(extinction(low), extinction(high));
    for (int i = 0; i < count; ++i) {
      const Float at = Float{} + points[i].value;
      most = select(both(at > low, at < high), max(most, Float{} + points[i].channel[0]), most);
    }
    return most;
  }
};

/// A transfer function at equal steps between its first and last point, in device memory: the nearest step's colour and
/// extinction stand for a value.
struct TransferTable {
  static constexpr int entries = 4096;
  const float* table;  ///< for each entry: red, green, blue (linear), extinction in 1/mm
  float first;         ///< value of entry 0
  float per_value;     ///< entries per value

  /// Where a value's entry starts; NaN goes to the first.
  template <class Float>
  ISOCENTER_HD auto at(Float v) const {
    const Float place = min(max((v - first) * per_value, Float{}), Float{} + static_cast<float>(entries - 1));
    return to_int(place + 0.5F) * 4;
  }
};

}  // namespace isocenter::detail
