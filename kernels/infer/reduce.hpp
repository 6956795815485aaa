#pragma once
// Sums, means and extremes over some axes of strided data, in an order that the shape alone fixes.
#include "infer/functions.hpp"
#include "infer/storage.hpp"

namespace isocenter::detail {

/// x, y, z: the output, dense, x fastest, z over three axes. Up to four axes are reduced; sums are Kahan's.
template <class T>
struct ReduceKernelOf {
  static constexpr const char* name = by_storage<T>("infer/reduce", "infer/reduce_bfloat16", "infer/reduce_float16");
  enum Kind : int { sum, mean, max_of, min_of, product, sum_squares, sum_abs };
  const T* in;
  float* out;
  int kind;
  int extent[4];  ///< of the reduced axes, 1 where there is none
  std::int64_t step[4];
  int in_x;
  std::int64_t in_y, out_y;
  int extent_z[3];
  std::int64_t in_z[3], out_z[3];

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int z) const {
    using Float = typename Lanes::Float;
    const int z0 = z % extent_z[0], z1 = z / extent_z[0] % extent_z[1], z2 = z / extent_z[0] / extent_z[1];
    const T* p = in + static_cast<std::int64_t>(x) * in_x + y * in_y + z0 * in_z[0] + z1 * in_z[1] + z2 * in_z[2];
    const auto lane = Lanes::iota(0) * in_x;
    Float acc = Float{} + (kind == max_of ? -INFINITY : (kind == min_of ? INFINITY : (kind == product ? 1.0F : 0.0F)));
    Float lost{};
    for (int a = 0; a < extent[0]; ++a)
      for (int b = 0; b < extent[1]; ++b)
        for (int c = 0; c < extent[2]; ++c)
          for (int d = 0; d < extent[3]; ++d) {
            Float v = gather(p + a * step[0] + b * step[1] + c * step[2] + d * step[3], lane);
            if (kind == max_of) {
              acc = select(v > acc, v, select(v == v, acc, v));
            } else if (kind == min_of) {
              acc = select(v < acc, v, select(v == v, acc, v));
            } else if (kind == product) {
              acc = acc * v;
            } else {
              if (kind == sum_squares) v = v * v;
              if (kind == sum_abs) v = max(v, -v);
              const Float term = v - lost, total = acc + term;
              lost = (total - acc) - term;
              acc = total;
            }
          }
    const float count = static_cast<float>(extent[0]) * static_cast<float>(extent[1]) * static_cast<float>(extent[2]) *
                        static_cast<float>(extent[3]);
    if (kind == mean) acc = acc / count;
    store(out + x + y * out_y + z0 * out_z[0] + z1 * out_z[1] + z2 * out_z[2], acc);
  }
};
using ReduceKernel = ReduceKernelOf<float>;

}  // namespace isocenter::detail
