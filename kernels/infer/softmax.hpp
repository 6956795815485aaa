#pragma once
// Softmax or its logarithm along one axis of strided float32 data.
#include "infer/functions.hpp"

namespace isocenter::detail {

/// x, y, z: the positions beside the axis, which has `count` elements `step` apart. The largest is taken away first.
struct SoftmaxKernel {
  static constexpr const char* name = "infer/softmax";
  const float* in;
  float* out;
  int count, logarithm;
  std::int64_t step;
  int step_x;
  std::int64_t step_y;
  int extent_z[2];
  std::int64_t step_z[2];

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int z) const {
    using Float = typename Lanes::Float;
    const std::int64_t at =
        static_cast<std::int64_t>(x) * step_x + y * step_y + z % extent_z[0] * step_z[0] + z / extent_z[0] * step_z[1];
    const auto lane = Lanes::iota(0) * step_x;
    Float top = gather(in + at, lane);
    for (int i = 1; i < count; ++i) top = max(top, gather(in + at + i * step, lane));
    Float sum{};
    for (int i = 0; i < count; ++i) sum += exp_of(gather(in + at + i * step, lane) - top);
    const Float log_sum = each_lane(sum, [](float v) { return logf(v); });
    for (int i = 0; i < count; ++i) {
      const Float d = gather(in + at + i * step, lane) - top;
      scatter(out + at + i * step, lane, logarithm != 0 ? d - log_sum : exp_of(d) / sum);
    }
  }

 private:
  static ISOCENTER_HD void scatter(float* p, int i, float v) { p[i] = v; }
#if !defined(__CUDACC__)
  static ISOCENTER_HD void scatter(float* p, int8 i, float8 v) {
    for (int k = 0; k < 8; ++k) p[i[k]] = v[k];
  }
#endif
};

}  // namespace isocenter::detail
