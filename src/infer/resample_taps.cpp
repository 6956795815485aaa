#include "infer/resample_taps.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace isocenter::infer {
namespace {

std::int64_t nearest_index(const std::string& mode, double x) {
  if (mode == "floor") return static_cast<std::int64_t>(std::floor(x));
  if (mode == "ceil") return static_cast<std::int64_t>(std::ceil(x));
  if (mode == "round_prefer_ceil") return static_cast<std::int64_t>(std::floor(x + 0.5));
  return static_cast<std::int64_t>(std::ceil(x - 0.5));
}

double triangle(double d) { return std::max(0.0, 1.0 - std::fabs(d)); }

/// R. G. Keys, "Cubic convolution interpolation for digital image processing", IEEE Trans. ASSP 29 (1981), eq. 4.
double keys(double d, double a) {
  d = std::fabs(d);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0.0;
}

}  // namespace

double source_position(const Interpolation& s, std::int64_t i, std::int64_t in, std::int64_t out, double scale) {
  const std::string& mode = s.coordinates;
  const double x = static_cast<double>(i), n = static_cast<double>(in), m = static_cast<double>(out);
  if (mode == "asymmetric") return x / scale;
  if (mode == "align_corners") return out == 1 ? 0.0 : x * (n - 1) / (scale * n - 1);
  if (mode == "tf_crop_and_resize")
    return out == 1 ? (s.crop_start + s.crop_end) / 2 * (n - 1)
                    : (s.crop_start + x * (s.crop_end - s.crop_start) / (m - 1)) * (n - 1);
  if (mode == "pytorch_half_pixel" && out == 1) return -0.5;
  if (mode == "half_pixel_symmetric") {
    const double adjustment = m / (scale * n);
    return n / 2 * (1 - adjustment) + (x + 0.5) / scale - 0.5;
  }
  return (x + 0.5) / scale - 0.5;
}

std::int64_t nearest_source(const Interpolation& s, std::int64_t i, std::int64_t in, std::int64_t out, double scale) {
  return nearest_index(s.nearest, source_position(s, i, in, out, scale));
}

AxisTaps interpolation_taps(const Interpolation& s, std::int64_t in, std::int64_t out, double scale) {
  const double shrink = s.antialias ? std::min(scale, 1.0) : 1.0;
  const double support = (s.mode == "cubic" ? 2.0 : 1.0) / shrink;
  AxisTaps axis;
  axis.taps = 2 * static_cast<int>(std::ceil(support));
  for (std::int64_t i = 0; i < out; ++i) {
    const double x = source_position(s, i, in, out, scale);
    const auto first = static_cast<std::int64_t>(std::floor(x)) - axis.taps / 2 + 1;
    std::vector<double> weights;
    for (int t = 0; t < axis.taps; ++t) {
      const std::int64_t at = first + t;
      const double d = (x - static_cast<double>(at)) * shrink;
      double w = s.mode == "cubic" ? keys(d, s.cubic_a) : triangle(d);
      if (s.exclude_outside && (at < 0 || at >= in)) w = 0;
      weights.push_back(w);
      axis.indices.push_back(static_cast<std::int32_t>(std::clamp<std::int64_t>(at, 0, in - 1)));
    }
    const double sum = s.exclude_outside || s.antialias ? std::accumulate(weights.begin(), weights.end(), 0.0) : 1.0;
    for (const double w : weights) axis.weights.push_back(static_cast<float>(sum != 0 ? w / sum : 0.0));
  }
  return axis;
}

}  // namespace isocenter::infer
