#pragma once
#include "core/lane_math.hpp"

namespace isocenter::detail {

/// out = c₁ p + c₂ p² + ... for 0 <= p <= limit, and its tangents beyond: a polynomial that was fitted up to a limit
/// says nothing there, and noise around air stays as it is. Launched over columns × rows × views.
struct BeamHardeningKernel {
  static constexpr const char* name = "recon/beam_hardening";
  static constexpr int most = 8;
  const float* in;
  float* out;
  int columns, rows, degree;
  float limit, slope_at_limit;
  float coefficients[most];

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int z) const {
    using Float = typename Lanes::Float;
    const std::int64_t at = (static_cast<std::int64_t>(z) * rows + y) * columns + x;
    const Float p = load(lanes, in + at);
    const Float q = clamp(p, 0.0F, limit);
    Float sum = Float{} + coefficients[degree - 1];
    for (int i = degree - 2; i >= 0; --i) sum = sum * q + coefficients[i];
    store(out + at, sum * q + (p - q) * select(p > limit, Float{} + slope_at_limit, Float{} + coefficients[0]));
  }
};

}  // namespace isocenter::detail
