#pragma once
// Weights as 8-bit integers.
#include <vector>

#include "infer/graph.hpp"

namespace isocenter::infer {

/// Weights as int8, symmetric, with a scale for each output channel: real = scales[channel] * values.
struct NarrowWeights {
  Array values;
  std::vector<float> scales;
};
/// `axis`: the weights' axis of output channels. Those that the model has as int8 already are taken as they are.
NarrowWeights quantise(const Value& weights, int axis);

/// The model has them as int8 with scales that are positive and finite, one or one for each output channel.
bool has_own_integers(const Value& weights, int axis);

/// The axis of output channels of a convolution's (not transposed) or matrix product's weights.
int output_axis(const Node& node);

/// The position along an axis of element i.
std::size_t channel_of(const Shape& shape, int axis, std::int64_t i);

}  // namespace isocenter::infer
