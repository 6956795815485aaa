#include "infer/window_plan.hpp"

#include <algorithm>
#include <cmath>

namespace isocenter::infer {

std::vector<int> window_starts(int size, int window, double overlap) {
  if (window >= size) return {0};
  // A little more than the product: an overlap of 0.4 that came as float32 must not cost a voxel.
  const double step = std::max(1.0, std::floor(window * (1.0 - overlap) + 1e-4));
  const int count = static_cast<int>(std::ceil((size - window) / step)) + 1;
  std::vector<int> starts;
  for (int i = 0; i < count; ++i)
    starts.push_back(static_cast<int>(std::lround(static_cast<double>(i) * (size - window) / (count - 1))));
  return starts;
}

std::vector<float> window_weights(int window) {
  std::vector<float> weights;
  const double middle = 0.5 * (window - 1), sigma = window / 8.0;
  for (int i = 0; i < window; ++i) {
    const double d = (i - middle) / sigma;
    weights.push_back(static_cast<float>(std::max(1e-3, std::exp(-0.5 * d * d))));
  }
  return weights;
}

std::vector<double> weight_sums(int size, int window, const std::vector<int>& starts) {
  const auto weights = window_weights(window);
  std::vector<double> sums(static_cast<std::size_t>(std::max(size, window)));
  for (const int start : starts)
    for (int i = 0; i < window; ++i)
      sums[static_cast<std::size_t>(start + i)] += static_cast<double>(weights[static_cast<std::size_t>(i)]);
  return sums;
}

AxisReading read_axis(int size, int network_size, double ratio, const std::vector<double>& sums) {
  AxisReading reading;
  for (int i = 0; i < size; ++i) {
    const double at = std::clamp((i + 0.5) * ratio - 0.5, 0.0, static_cast<double>(network_size - 1));
    const int low = static_cast<int>(at);
    const double part = at - low;
    const int high = part > 0 ? low + 1 : low;
    reading.index.insert(reading.index.end(), {low, high});
    reading.weight.push_back(static_cast<float>((1 - part) / sums[static_cast<std::size_t>(low)]));
    reading.weight.push_back(static_cast<float>(part / sums[static_cast<std::size_t>(high)]));
  }
  return reading;
}

}  // namespace isocenter::infer
