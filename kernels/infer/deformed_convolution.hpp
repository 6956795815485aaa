#pragma once
// A convolution whose taps are moved by offsets that are data, float32. x and y count output elements, 32 in a row.
#include "infer/along_axis.hpp"

namespace isocenter::detail {

/// J. Dai et al., "Deformable convolutional networks", ICCV 2017, eq. 2. Positions and sums in float64, in the order of
/// the plain loops.
struct DeformedConvolutionKernel {
  static constexpr const char* name = "infer/deformed_convolution";
  const float* in;       ///< (n, channels, extent)
  const float* weights;  ///< (outs, ins, kernel); ins of a group
  const float* offsets;  ///< (n, offset groups x taps x (row, column), out)
  const float* bias;     ///< (outs) or null
  const float* mask;     ///< (n, offset groups x taps, out) or null
  float* out;            ///< (n, outs, to)
  std::int64_t count;    ///< of output elements
  int channels, ins, outs, groups, offset_groups;
  int extent[2], to[2], kernel[2], strides[2], pads[2], dilations[2];

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    each_column<Lanes>(x, y, count, [this](std::int64_t at) { out[at] = value(at); });
  }

 private:
  ISOCENTER_HD float value(std::int64_t at) const {
    const std::int64_t points = static_cast<std::int64_t>(to[0]) * to[1], p = at % points;
    const int o = static_cast<int>(at / points % outs), taps = kernel[0] * kernel[1];
    const std::int64_t n = at / points / outs;
    double sum = bias != nullptr ? static_cast<double>(bias[o]) : 0.0;
    for (int q = 0; q < ins; ++q) {
      const int channel = o / (outs / groups) * ins + q, group = channel / (channels / offset_groups);
      for (int t = 0; t < taps; ++t) {
        const std::int64_t tap = (n * offset_groups + group) * taps + t;
        const double row = place(0, static_cast<int>(p / to[1]), t / kernel[1], offsets[tap * 2 * points + p]);
        const double column = place(1, static_cast<int>(p % to[1]), t % kernel[1], offsets[(tap * 2 + 1) * points + p]);
        double v = bilinear(in + (n * channels + channel) * extent[0] * extent[1], row, column);
        if (mask != nullptr) v *= static_cast<double>(mask[tap * points + p]);
        sum += v * static_cast<double>(weights[(static_cast<std::int64_t>(o) * ins + q) * taps + t]);
      }
    }
    return static_cast<float>(sum);
  }

  ISOCENTER_HD double place(int axis, int out_at, int tap_at, float offset) const {
    return static_cast<double>(static_cast<std::int64_t>(out_at) * strides[axis] - pads[axis] +
                               static_cast<std::int64_t>(tap_at) * dilations[axis]) +
           static_cast<double>(offset);
  }

  /// Zero outside.
  ISOCENTER_HD double bilinear(const float* plane, double row, double column) const {
    const double r0 = ::floor(row), c0 = ::floor(column);
    double sum = 0;
    for (int i = 0; i < 2; ++i)
      for (int j = 0; j < 2; ++j) {
        const double r = r0 + i, c = c0 + j;
        if (!(r >= 0 && c >= 0 && r < extent[0] && c < extent[1])) continue;
        const std::int64_t at = static_cast<std::int64_t>(r) * extent[1] + static_cast<std::int64_t>(c);
        sum += (1 - fabs(row - r)) * (1 - fabs(column - c)) * static_cast<double>(plane[at]);
      }
    return sum;
  }
};

}  // namespace isocenter::detail
