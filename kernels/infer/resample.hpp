#pragma once
// Separable interpolation of channels-last data with one to three spatial axes, the taps from tables.
#include "infer/storage.hpp"

namespace isocenter::detail {

/// x: channel, y: output column, z: (item, output slice, output row), row fastest. Along axis k output position i is
/// the sum over t < taps[k] of weights[k][i * taps + t] times the input at indices[k][i * taps + t].
template <class T>
struct ResampleKernelOf {
  static constexpr const char* name =
      by_storage<T>("infer/resample", "infer/resample_bfloat16", "infer/resample_float16");
  const T* in;
  T* out;
  int channels;
  int in_extent[3], out_extent[3], taps[3];
  const std::int32_t* indices[3];
  const float* weights[3];

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int z) const {
    using Float = typename Lanes::Float;
    const int row = z % out_extent[1], slice = z / out_extent[1] % out_extent[0],
              item = z / out_extent[1] / out_extent[0];
    const T* base = in + static_cast<std::int64_t>(item) * in_extent[0] * in_extent[1] * in_extent[2] * channels + x;
    Float acc{};
    for (int a = 0; a < taps[0]; ++a) {
      const float wd = weights[0][slice * taps[0] + a];
      const std::int64_t d = indices[0][slice * taps[0] + a];
      for (int b = 0; b < taps[1]; ++b) {
        const float wh = wd * weights[1][row * taps[1] + b];
        const std::int64_t h = d * in_extent[1] + indices[1][row * taps[1] + b];
        for (int c = 0; c < taps[2]; ++c) {
          const float w = wh * weights[2][y * taps[2] + c];
          acc += load(lanes, base + (h * in_extent[2] + indices[2][y * taps[2] + c]) * channels) * w;
        }
      }
    }
    store(out + ((static_cast<std::int64_t>(z) * out_extent[2]) + y) * channels + x, acc);
  }
};
using ResampleKernel = ResampleKernelOf<float>;

}  // namespace isocenter::detail
