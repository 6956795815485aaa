#include "infer/bundle_grid.hpp"

#include <algorithm>
#include <cmath>

namespace isocenter::infer {
namespace {

/// Neighbours of the positions first + i * step on an axis of `size`. The nearest: halves go to the even one, as
/// PyTorch's grid_sample has it; where `held`, the one below, as its interpolate has it.
AxisPairs pairs(int count, int size, int offset, bool nearest, double first, double step, bool held) {
  AxisPairs p;
  for (int i = 0; i < count; ++i) {
    const double at = std::clamp(first + i * step, 0.0, static_cast<double>(size - 1));
    int low = static_cast<int>(at);
    double part = at - low;
    if (nearest) {
      low = held ? low : static_cast<int>(std::nearbyint(at));
      part = 0;
    }
    p.index.insert(p.index.end(), {offset + low, offset + (part > 0 ? low + 1 : low)});
    p.weight.insert(p.weight.end(), {static_cast<float>(1 - part), static_cast<float>(part)});
  }
  return p;
}

}  // namespace

double spaced_extent(int size, double spacing_mm, double wanted_mm) {
  if (!(wanted_mm > 0) || wanted_mm == spacing_mm) return size;
  return std::nearbyint((size - 1) * (spacing_mm / wanted_mm) + 1);
}

AxisChange spacing_change(int size, double spacing_mm, double wanted_mm) {
  if (!(wanted_mm > 0) || wanted_mm == spacing_mm) return {AxisChange::Rule::keep, size, size, 1, 1};
  const double ratio = spacing_mm / wanted_mm;
  return {AxisChange::Rule::first_centre, size, static_cast<int>(spaced_extent(size, spacing_mm, wanted_mm)),
          wanted_mm / spacing_mm, ratio};
}

AxisChange resize_change(int size, int wanted) {
  if (wanted == size) return {AxisChange::Rule::keep, size, size, 1, 1};
  return {AxisChange::Rule::borders, size, wanted, static_cast<double>(size) / wanted,
          static_cast<double>(wanted) / size};
}

AxisPairs forward(const AxisChange& c) {
  const bool borders = c.rule == AxisChange::Rule::borders;
  return pairs(c.to, c.from, 0, false, borders ? 0.5 * c.step - 0.5 : 0, c.step, false);
}

AxisPairs backward(const AxisChange& c, bool nearest, int offset) {
  const bool borders = c.rule == AxisChange::Rule::borders;
  const double step = c.back;
  return pairs(c.from, c.to, offset, nearest, borders && !nearest ? 0.5 * step - 0.5 : 0, step, borders);
}

std::vector<int> bundle_window_starts(int size, int window, double overlap) {
  std::vector<int> starts;
  bundle_window_starts(size, window, overlap, starts);
  return starts;
}

void bundle_window_starts(int size, int window, double overlap, std::vector<int>& starts) {
  const int interval = std::max(1, static_cast<int>(window * (1 - overlap)));
  starts.clear();
  for (int start = 0;; start += interval) {
    starts.push_back(std::max(0, std::min(start, size - window)));
    if (start + window >= size) return;
  }
}

std::vector<float> importance_map(const int (&window)[3], bool gaussian, double sigma) {
  std::vector<float> along[3];
  for (int k = 0; k < 3; ++k)
    for (int i = 0; i < window[k]; ++i) {
      const double d = (i - 0.5 * (window[k] - 1)) / (sigma * window[k]);
      along[k].push_back(gaussian ? static_cast<float>(std::exp(-0.5 * d * d)) : 1.0F);
    }
  std::vector<float> map;
  for (const float z : along[2])
    for (const float y : along[1])
      for (const float x : along[0]) map.push_back(std::max(z * y * x, 1e-3F));
  return map;
}

}  // namespace isocenter::infer
