#pragma once
// Convolution by its definition, on channels-last float32 data with one to three spatial axes: what runs where the
// device's library has no plan for a convolution (groups in three dimensions, padded rims), and what tests compare
// with.
#include "infer/functions.hpp"

namespace isocenter::detail {

/// x: output channel, y: output column, z: (item, output slice, output row), row fastest. Axes are (d, h, w).
struct DirectConvolutionKernel {
  static constexpr const char* name = "infer/direct_convolution";
  const float* in;
  const float* weights;   ///< [tap][input channel of the group][output channel]
  const float* bias;      ///< by output channel, or null
  const float* residual;  ///< like the output, or null; may be the output
  float* out;
  int channels_in, channels_out, groups;
  int in_extent[3], out_extent[3], kernel[3], stride[3], dilation[3], pad_begin[3];
  int transposed;  ///< output = input * stride - pad + tap * dilation, instead of the other way round
  infer::Function then;
  float alpha, beta;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int z) const {
    using Float = typename Lanes::Float;
    const int at[3] = {z / out_extent[1] % out_extent[0], z % out_extent[1], y};
    const int item = z / out_extent[1] / out_extent[0];
    const int ins = channels_in / groups;
    const auto first = Lanes::iota(x) / (channels_out / groups) * ins;  // the lane's group's first input channel
    Float sum = bias != nullptr ? load(lanes, bias + x) : Float{};
    int tap = 0;
    for (int a = 0; a < kernel[0]; ++a)
      for (int b = 0; b < kernel[1]; ++b)
        for (int c = 0; c < kernel[2]; ++c, ++tap) {
          const int d = source(0, at[0], a), h = source(1, at[1], b), w = source(2, at[2], c);
          if (d < 0 || h < 0 || w < 0) continue;
          const float* pixel =
              in + (((static_cast<std::int64_t>(item) * in_extent[0] + d) * in_extent[1] + h) * in_extent[2] + w) *
                       channels_in;
          const float* row = weights + static_cast<std::int64_t>(tap) * ins * channels_out + x;
          for (int i = 0; i < ins; ++i)
            sum += gather(pixel, first + i) * load(lanes, row + static_cast<std::int64_t>(i) * channels_out);
        }
    const std::int64_t to = ((static_cast<std::int64_t>(z) * out_extent[2]) + y) * channels_out + x;
    if (residual != nullptr) sum += load(lanes, residual + to);
    if (then != infer::Function::identity) sum = apply_unary(then, alpha, beta, sum);
    store(out + to, sum);
  }

 private:
  /// The input position that a tap reads for an output position, or -1.
  ISOCENTER_HD int source(int axis, int position, int tap) const {
    int p = position * stride[axis] - pad_begin[axis] + tap * dilation[axis];
    if (transposed != 0) {
      const int scaled = position + pad_begin[axis] - tap * dilation[axis];
      if (scaled < 0 || scaled % stride[axis] != 0) return -1;
      p = scaled / stride[axis];
    }
    return p < in_extent[axis] ? p : -1;
  }
};

}  // namespace isocenter::detail
