#pragma once
// Moves elements (float32, any other of 4 bytes as such, 16-bit numbers, or from one to the other): transposing,
// slicing, padding, tiling, gathering, concatenating.
#include "infer/storage.hpp"

namespace isocenter::detail {

/// Up to nine axes, fastest first: x, y and `axes_z` that z runs through. For each, the input's position is table[i]
/// (or i where there is no table) times the input's stride; a table entry of -1 gives `fill`. The output's x stride
/// is 1.
template <class In, class Out>
struct CopyKernelOf {
  static constexpr const char* name =
      by_storage<In, Out>("infer/copy", "infer/copy_to_bfloat16", "infer/copy_from_bfloat16", "infer/copy_bfloat16",
                          "infer/copy_to_float16", "infer/copy_from_float16", "infer/copy_float16");
  const In* in;
  Out* out;
  float fill;
  int in_x;  ///< stride; |table| * in_x stays below 2^31
  const std::int32_t* table_x;
  std::int64_t in_y, out_y;
  const std::int32_t* table_y;
  static constexpr int most_z = 7;
  int axes_z;
  int extent_z[most_z];
  std::int64_t in_z[most_z], out_z[most_z];
  const std::int32_t* table_z[most_z];

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int z) const {
    using Float = typename Lanes::Float;
    using Int = typename Lanes::Int;
    const In* p = in;
    Out* q = out + x + y * out_y;
    bool inside = true;
    int rest = z;
    for (int k = 0; k < axes_z; ++k) {
      const int i = rest % extent_z[k];
      rest /= extent_z[k];
      const int from = table_z[k] != nullptr ? table_z[k][i] : i;
      inside = inside && from >= 0;
      p += from * in_z[k];
      q += i * out_z[k];
    }
    const int from_y = table_y != nullptr ? table_y[y] : y;
    inside = inside && from_y >= 0;
    if (!inside) return store(q, Float{} + fill);
    p += from_y * in_y;
    if (table_x == nullptr) {
      const In* row = p + static_cast<std::int64_t>(x) * in_x;
      return store(q, in_x == 1 ? load(lanes, row) : gather(row, Lanes::iota(0) * in_x));
    }
    Int from;
    memcpy(&from, table_x + x, sizeof from);
    store(q, select(from < 0, Float{} + fill, gather(p, max(from, Int{}) * in_x)));
  }
};
using CopyKernel = CopyKernelOf<float, float>;

}  // namespace isocenter::detail
