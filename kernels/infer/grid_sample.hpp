#pragma once
// Sampling of dense float32 data (n, c, spatial...) at the points of a grid (n, points, axes; x first) in [-1, 1].
#include "core/lanes.hpp"

namespace isocenter::detail {

/// x, y: points, 64 in a row; z: item. Positions and weights in float64, so that a point between two elements falls to
/// the same one on every device.
struct GridSampleKernel {
  static constexpr const char* name = "infer/grid_sample";
  static constexpr int points_in_row = 64;
  enum Mode : int { nearest, linear, cubic };
  enum Padding : int { zeros, border, reflection };
  const float* in;
  const float* grid;
  float* out;
  int mode, padding, align_corners;
  int axes, extent[3];  ///< of the input, slowest first
  int channels;
  std::int64_t pixels, points;  ///< of one channel

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int z) const {
    for (int k = 0; k < Lanes::width; ++k) {
      const std::int64_t point = static_cast<std::int64_t>(y) * points_in_row + x + k;
      if (point < points) sample(point, z);
    }
  }

 private:
  struct Taps {
    std::int64_t index[3][4];
    double weight[3][4];
  };

  ISOCENTER_HD void sample(std::int64_t point, int item) const {
    Taps taps{};
    const int each = mode == nearest ? 1 : (mode == linear ? 2 : 4);
    int combinations = 1;
    for (int k = 0; k < axes; ++k) {
      place(taps, k, static_cast<double>(grid[(item * points + point) * axes + axes - 1 - k]), each);
      combinations *= each;
    }
    for (int c = 0; c < channels; ++c) {
      const std::int64_t plane = static_cast<std::int64_t>(item) * channels + c;
      double sum = 0;
      for (int t = 0; t < combinations; ++t) {
        std::int64_t at = 0;
        double w = 1;
        bool inside = true;
        for (int k = 0, rest = t; k < axes; ++k, rest /= each) {
          inside = inside && taps.index[k][rest % each] >= 0;
          at = at * extent[k] + taps.index[k][rest % each];
          w *= taps.weight[k][rest % each];
        }
        if (inside && w != 0.0) sum += w * static_cast<double>(in[plane * pixels + at]);
      }
      out[plane * points + point] = static_cast<float>(sum);
    }
  }

  ISOCENTER_HD void place(Taps& taps, int axis, double v, int each) const {
    const double n = static_cast<double>(extent[axis]);
    double x = align_corners != 0 ? (v + 1) / 2 * (n - 1) : ((v + 1) * n - 1) / 2;
    if (mode == nearest) x = nearbyint(x);
    if (!(fabs(x) < 1e300)) x = -2;  // NaN and infinities
    x = pad(x, n);
    const double first = mode == nearest ? x : ::floor(x) - (each == 4 ? 1 : 0);
    for (int t = 0; t < each; ++t) {
      const double d = x - (first + t), p = pad(first + t, n);
      taps.index[axis][t] = p > -1.0 && p < n ? static_cast<std::int64_t>(p) : -1;
      taps.weight[axis][t] = each == 1 ? 1.0 : (each == 2 ? 1 - fabs(d) : keys(d));
    }
  }

  ISOCENTER_HD double pad(double x, double n) const {
    if (padding == border) return x < 0 ? 0 : (x > n - 1 ? n - 1 : x);
    const double low = align_corners != 0 ? 0.0 : -0.5, high = n - (align_corners != 0 ? 1.0 : 0.5);
    if (padding != reflection || (x >= low && x <= high)) return x;
    const double range = high - low;
    if (range <= 0) return low;
    const double period = fmod(fabs(x - low), 2 * range);
    return period <= range ? low + period : high - (period - range);
  }

  /// R. G. Keys, "Cubic convolution interpolation for digital image processing", IEEE Trans. ASSP 29 (1981), eq. 4,
  /// with a = -0.75.
  static ISOCENTER_HD double keys(double d) {
    constexpr double a = -0.75;
    d = fabs(d);
    if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0.0;
  }
};

}  // namespace isocenter::detail
