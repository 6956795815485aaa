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
  bool antialias = false;  ///< widens the weights where the axis shrinks, so that nothing between two samples is lost
};

/// Weights for mode "linear" or "cubic"; `scale` is output over input.
AxisTaps interpolation_taps(const Interpolation& s, std::int64_t in, std::int64_t out, double scale);

/// The nearest input position before it is clamped to the axis.
std::int64_t nearest_source(const Interpolation& s, std::int64_t i, std::int64_t in, std::int64_t out, double scale);

}  // namespace isocenter::infer
