#pragma once
// out = then(function(inputs...)) over strided, broadcast arrays of up to five axes.
#include "infer/functions.hpp"
#include "infer/storage.hpp"

namespace isocenter::detail {

/// Axes from fastest to slowest: x, y and up to three more, which z runs through. A stride of 0 broadcasts. The
/// output's x stride is 1.
struct MapKernel {
  static constexpr const char* name = "infer/map";
  infer::Function function, then;
  float alpha, beta, then_alpha, then_beta;
  int inputs;
  int narrow;  ///< bit i: input i has 16 bits; bit 3: the output has
  int half;    ///< these are float16, else bfloat16
  const void* in[3];
  void* out;
  int in_x[3];
  std::int64_t in_y[3], out_y;
  int extent_z[3];
  std::int64_t in_z[3][3], out_z[3];  ///< [input][axis]

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int z) const {
    using Float = typename Lanes::Float;
    const int z0 = z % extent_z[0], z1 = z / extent_z[0] % extent_z[1], z2 = z / extent_z[0] / extent_z[1];
    Float v[3] = {};
    for (int i = 0; i < inputs; ++i) {
      const std::int64_t at = y * in_y[i] + z0 * in_z[i][0] + z1 * in_z[i][1] + z2 * in_z[i][2];
      if ((narrow >> i & 1) == 0)
        v[i] = read(lanes, static_cast<const float*>(in[i]) + at, x, in_x[i]);
      else if (half != 0)
        v[i] = read(lanes, static_cast<const float16*>(in[i]) + at, x, in_x[i]);
      else
        v[i] = read(lanes, static_cast<const bfloat16*>(in[i]) + at, x, in_x[i]);
    }
    Float r;
    if (function == infer::Function::affine)
      r = v[0] * v[1] + v[2];
    else if (inputs == 2)
      r = apply_binary(function, v[0], v[1]);
    else
      r = apply_unary(function, alpha, beta, v[0]);
    if (then != infer::Function::identity) r = apply_unary(then, then_alpha, then_beta, r);
    const std::int64_t at = x + y * out_y + z0 * out_z[0] + z1 * out_z[1] + z2 * out_z[2];
    if ((narrow >> 3 & 1) == 0)
      store(static_cast<float*>(out) + at, r);
    else if (half != 0)
      store(static_cast<float16*>(out) + at, r);
    else
      store(static_cast<bfloat16*>(out) + at, r);
  }

 private:
  template <class Lanes, class T>
  static ISOCENTER_HD typename Lanes::Float read(Lanes lanes, const T* row, int x, int step) {
    if (step == 1) return load(lanes, row + x);
    if (step == 0) return typename Lanes::Float{} + load(Scalar{}, row);
    return gather(row + static_cast<std::int64_t>(x) * step, Lanes::iota(0) * step);
  }
};

}  // namespace isocenter::detail
