#pragma once
// Maximum and average pooling of channels-last data with one to three spatial axes.
#include "infer/storage.hpp"

namespace isocenter::detail {

/// x: channel, y: output column, z: (item, output slice, output row), row fastest. Axes are (d, h, w).
template <class T>
struct PoolKernelOf {
  static constexpr const char* name = by_storage<T>("infer/pool", "infer/pool_bfloat16", "infer/pool_float16");
  const T* in;
  T* out;
  int in_step, out_step;  ///< from pixel to pixel: the channels, or those of a wider array that these are a part of
  int in_extent[3], out_extent[3], kernel[3], stride[3], dilation[3], pad_begin[3], pad_end[3];
  int average;     ///< 0: maximum
  int count_pads;  ///< average: the model's padding counts, what lies beyond it does not

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int z) const {
    using Float = typename Lanes::Float;
    const int row = z % out_extent[1], slice = z / out_extent[1] % out_extent[0],
              item = z / out_extent[1] / out_extent[0];
    const int start[3] = {slice * stride[0] - pad_begin[0], row * stride[1] - pad_begin[1],
                          y * stride[2] - pad_begin[2]};
    const T* base = in + static_cast<std::int64_t>(item) * in_extent[0] * in_extent[1] * in_extent[2] * in_step + x;
    Float acc = average != 0 ? Float{} : Float{} - INFINITY;
    int inside = 0, counted = 0;
    for (int a = 0; a < kernel[0]; ++a) {
      const int d = start[0] + a * dilation[0];
      for (int b = 0; b < kernel[1]; ++b) {
        const int h = start[1] + b * dilation[1];
        for (int c = 0; c < kernel[2]; ++c) {
          const int w = start[2] + c * dilation[2];
          if (d < in_extent[0] + pad_end[0] && h < in_extent[1] + pad_end[1] && w < in_extent[2] + pad_end[2])
            ++counted;
          if (d < 0 || h < 0 || w < 0 || d >= in_extent[0] || h >= in_extent[1] || w >= in_extent[2]) continue;
          const Float v =
              load(lanes, base + ((static_cast<std::int64_t>(d) * in_extent[1] + h) * in_extent[2] + w) * in_step);
          acc = average != 0 ? acc + v : select(v > acc, v, select(v == v, acc, v));
          ++inside;
        }
      }
    }
    if (average != 0) acc = acc / static_cast<float>(count_pads != 0 ? counted : (inside > 0 ? inside : 1));
    store(out + ((static_cast<std::int64_t>(z) * out_extent[2]) + y) * out_step + x, acc);
  }
};
using PoolKernel = PoolKernelOf<float>;

}  // namespace isocenter::detail
