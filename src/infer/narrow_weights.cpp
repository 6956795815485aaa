#include "infer/narrow_weights.hpp"

#include <algorithm>
#include <cmath>

namespace isocenter::infer {

int output_axis(const Node& node) {
  const auto* product = std::get_if<MatrixProduct>(&node.operation);
  return product != nullptr && !product->transpose_b ? 1 : 0;
}

std::size_t channel_of(const Shape& shape, int axis, std::int64_t i) {
  std::int64_t behind = 1;
  for (std::size_t k = static_cast<std::size_t>(axis) + 1; k < shape.size(); ++k) behind *= shape[k];
  return static_cast<std::size_t>(i / behind % shape[static_cast<std::size_t>(axis)]);
}

bool has_own_integers(const Value& weights, int axis) {
  if (!weights.stored) return false;
  const std::vector<float>& scales = weights.stored->scales;
  const auto outs = static_cast<std::size_t>(weights.shape[static_cast<std::size_t>(axis)]);
  return (scales.size() == 1 || (weights.stored->axis == axis && scales.size() == outs)) &&
         std::all_of(scales.begin(), scales.end(), [](float s) { return s > 0.0F && std::isnormal(s); });
}

NarrowWeights quantise(const Value& weights, int axis) {
  const auto outs = static_cast<std::size_t>(weights.shape[static_cast<std::size_t>(axis)]);
  if (has_own_integers(weights, axis)) {
    const StoredConstant& stored = *weights.stored;
    return {stored.values, stored.scales.size() == 1 ? std::vector<float>(outs, stored.scales[0]) : stored.scales};
  }
  const Array& real = *weights.constant;
  NarrowWeights narrow{Array(ElementType::i8, weights.shape), std::vector<float>(outs, 0.0F)};
  for (std::int64_t i = 0; i < real.count(); ++i) {
    float& largest = narrow.scales[channel_of(weights.shape, axis, i)];
    largest = std::max(largest, std::fabs(real.as<float>()[i]));
  }
  for (float& scale : narrow.scales) scale = scale > 0.0F ? scale / 127.0F : 1.0F;
  for (std::int64_t i = 0; i < real.count(); ++i)
    narrow.values.mutable_as<std::int8_t>()[i] = static_cast<std::int8_t>(std::lrint(
        std::clamp(real.as<float>()[i] / narrow.scales[channel_of(weights.shape, axis, i)], -127.0F, 127.0F)));
  return narrow;
}

}  // namespace isocenter::infer
