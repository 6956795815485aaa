#pragma once
// out = then(scale * in + shift), the factors by channel, on channels-last data: normalisation's last step.
#include "infer/functions.hpp"
#include "infer/storage.hpp"

namespace isocenter::detail {

/// x: channel, y: block of pixels, z: item of the batch. Input and output may be some of the channels of wider arrays.
template <class In, class Out>
struct ChannelAffineKernelOf {
  static constexpr const char* name = by_storage<In, Out>(
      "infer/channel_affine", "infer/channel_affine_to_bfloat16", "infer/channel_affine_from_bfloat16",
      "infer/channel_affine_bfloat16", "infer/channel_affine_to_float16", "infer/channel_affine_from_float16",
      "infer/channel_affine_float16");
  const In* in;
  Out* out;
  const float *scale, *shift;  ///< [item * factors_z + channel]
  std::int64_t in_y, out_y;    ///< from pixel to pixel
  std::int64_t in_z, out_z, factors_z;
  std::int64_t pixels;  ///< of one item
  int block;            ///< pixels of one y
  infer::Function then;
  float alpha, beta;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int z) const {
    const auto a = load(lanes, scale + z * factors_z + x), b = load(lanes, shift + z * factors_z + x);
    const std::int64_t begin = static_cast<std::int64_t>(y) * block, left = pixels - begin;
    const int count = left < block ? static_cast<int>(left) : block;
    const In* p = in + z * in_z + begin * in_y + x;
    Out* q = out + z * out_z + begin * out_y + x;
    if (then == infer::Function::identity)
      for (int i = 0; i < count; ++i) store(q + i * out_y, load(lanes, p + i * in_y) * a + b);
    else if (then == infer::Function::relu)
      for (int i = 0; i < count; ++i)
        store(q + i * out_y, apply_unary(infer::Function::relu, 0.0F, 0.0F, load(lanes, p + i * in_y) * a + b));
    else if (then == infer::Function::leaky_relu)
      for (int i = 0; i < count; ++i)
        store(q + i * out_y, apply_unary(infer::Function::leaky_relu, alpha, 0.0F, load(lanes, p + i * in_y) * a + b));
    else
      for (int i = 0; i < count; ++i)
        store(q + i * out_y, apply_unary(then, alpha, beta, load(lanes, p + i * in_y) * a + b));
  }
};
using ChannelAffineKernel = ChannelAffineKernelOf<float, float>;

}  // namespace isocenter::detail
