#pragma once
#include "core/lane_math.hpp"

namespace isocenter::detail {

/// Takes out of each view what earlier exposures left in the detector. With the pixel's exposures x_k and
///   y_k = b₀ x_k + Σ_n b_n Σ_{j<=k} x_j e^{-a_n (k-j)},  S_n(k) = Σ_{j<k} x_j e^{-a_n (k-j)}:
///   x_k = (y_k - Σ_n b_n S_n(k)) / (b₀ + Σ_n b_n),  S_n(k+1) = (S_n(k) + x_k) e^{-a_n}.
/// Launched over columns × rows; the views of a pixel follow one another.
struct DetectorLagKernel {
  static constexpr const char* name = "recon/detector_lag";
  static constexpr int most = 4;
  const float* in;
  float* out;
  float* state;  ///< S_n of each pixel, one plane for each n: read at the start and written at the end
  std::int64_t pixels;
  int columns, views, terms;
  float scale;                     ///< 1 / (b₀ + Σ b_n)
  float weight[most], keep[most];  ///< b_n, e^{-a_n}
  float offset;                    ///< of the counts without exposure

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int) const {
    using Float = typename Lanes::Float;
    const std::int64_t at = static_cast<std::int64_t>(y) * columns + x;
    Float s[most];
    for (int n = 0; n < most; ++n) s[n] = n < terms ? load(lanes, state + n * pixels + at) : Float{};
    for (int k = 0; k < views; ++k) {
      Float left = Float{};
      for (int n = 0; n < most; ++n) left += s[n] * weight[n];
      const Float exposure = (load(lanes, in + k * pixels + at) - offset - left) * scale;
      for (int n = 0; n < most; ++n) s[n] = (s[n] + exposure) * keep[n];
      store(out + k * pixels + at, exposure + offset);
    }
    for (int n = 0; n < most; ++n)
      if (n < terms) store(state + n * pixels + at, s[n]);
  }
};

/// Writes zeros, where a stream of views begins anew. Launched over columns × rows × terms.
struct ClearLagState {
  static constexpr const char* name = "recon/clear_lag_state";
  float* state;
  int columns, rows;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int z) const {
    store(state + (static_cast<std::int64_t>(z) * rows + y) * columns + x, typename Lanes::Float{});
  }
};

}  // namespace isocenter::detail
