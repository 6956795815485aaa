#pragma once
// Batched matrix product by its definition, strided float32: what runs where the device has no library for it.
#include "core/lanes.hpp"

namespace isocenter::detail {

/// x: column, y: row, z: batch over up to three axes. out is dense; strides of 0 broadcast.
struct MatrixProductKernel {
  static constexpr const char* name = "infer/matrix_product";
  const float *a, *b;
  const float* bias;      ///< by column, or null
  const float* residual;  ///< as out, and may be it; or null
  float* out;
  int rows, columns, depth;
  std::int64_t a_row, a_depth, b_depth;
  int b_column;
  int extent_z[3];
  std::int64_t a_z[3], b_z[3];

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int z) const {
    using Float = typename Lanes::Float;
    const int batch[3] = {z % extent_z[0], z / extent_z[0] % extent_z[1], z / extent_z[0] / extent_z[1]};
    const float* pa = a + y * a_row;
    const float* pb = b + static_cast<std::int64_t>(x) * b_column;
    for (int k = 0; k < 3; ++k) {
      pa += batch[k] * a_z[k];
      pb += batch[k] * b_z[k];
    }
    const auto lane = Lanes::iota(0) * b_column;
    Float sum = bias != nullptr ? load(lanes, bias + x) : Float{};
    for (int k = 0; k < depth; ++k) sum += gather(pb + k * b_depth, lane) * pa[k * a_depth];
    const std::int64_t at = (static_cast<std::int64_t>(z) * rows + y) * columns + x;
    if (residual != nullptr) sum += load(lanes, residual + at);
    store(out + at, sum);
  }
};

}  // namespace isocenter::detail
