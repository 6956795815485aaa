#pragma once
// Which input positions an output position of a resized axis is made of, and with which weights. Terms and formulas:
// ONNX's documentation of Resize (opset 19).
#include <string>

#include "infer/graph.hpp"

namespace isocenter::infer {

struct Interpolation {
  std::string coordinates = "asymmetric", mode = "nearest", nearest = "floor";
  double cubic_a = -0.75;
  bool exclude_outside = false;
  double crop_start = 0.0, crop_end = 1.0;  ///< "tf_crop_and_resize": the part of the axis that is resized
  bool antialias = false;  ///< widens the weights where the axis shrinks, so that nothing between two samples is lost
};

/// Weights for mode "linear" or "cubic"; `scale` is output over input.
AxisTaps interpolation_taps(const Interpolation& s, std::int64_t in, std::int64_t out, double scale);

/// Where output position i lies on the input's axis.
double source_position(const Interpolation& s, std::int64_t i, std::int64_t in, std::int64_t out, double scale);

/// The nearest input position before it is clamped to the axis.
std::int64_t nearest_source(const Interpolation& s, std::int64_t i, std::int64_t in, std::int64_t out, double scale);

}  // namespace isocenter::infer
