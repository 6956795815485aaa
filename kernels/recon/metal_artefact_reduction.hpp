#pragma once
// Metal in a sinogram: what it is in a first image, and the samples behind it replaced from beside it.
#include "core/lane_math.hpp"

namespace isocenter::detail {

/// From a first image: metal = 1 where it is at or above metal_from, else 0; prior = `air` below air_below, the image
/// itself at or above bone_from, `soft` between and in metal. Launched over nx × ny × nz.
struct MetalPriorKernel {
  static constexpr const char* name = "recon/metal_prior";
  const float* in;
  float* metal;
  float* prior;
  int nx, ny;
  float air_below, bone_from, metal_from, air, soft;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int z) const {
    using Float = typename Lanes::Float;
    const std::int64_t at = (static_cast<std::int64_t>(z) * ny + y) * nx + x;
    const Float v = load(lanes, in + at), none = Float{};
    store(metal + at, select(v >= metal_from, none + 1.0F, none));
    const Float tissue = select(v >= bone_from, v, none + soft);
    store(prior + at, select(v >= metal_from, none + soft, select(v < air_below, none + air, tissue)));
  }
};

/// Replaces the samples of the metal's trace (and `margin` columns beside it) in each detector row by what is linear
/// between the samples on both sides: of p, or with a prior of p / (prior + guard), which is then multiplied with it
/// again. At the detector's border the one side's sample goes on; a row that is all metal stays as it is. Launched over
/// rows × views.
struct MetalInpaint {
  static constexpr const char* name = "recon/metal_inpaint";
  const float* in;
  const float* metal;  ///< mm of metal along each ray
  const float* prior;  ///< null: plain linear interpolation
  float* out;
  float* replaced;  ///< [view][row]: how many samples; -1 - columns when all are metal
  int columns, rows, margin;
  float threshold, guard;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    for (int k = 0; k < Lanes::width; ++k) row(static_cast<std::int64_t>(y) * rows + x + k);
  }

 private:
  ISOCENTER_HD bool marked(const float* m, int u) const {
    const int first = max(u - margin, 0), last = min(u + margin, columns - 1);
    for (int i = first; i <= last; ++i)
      if (m[i] > threshold) return true;
    return false;
  }
  ISOCENTER_HD float normal(std::int64_t at) const { return prior != nullptr ? prior[at] + guard : 1.0F; }
  ISOCENTER_HD void row(std::int64_t line) const {
    const std::int64_t at = line * columns;
    const float* m = metal + at;
    int count = 0, good = -1;  // the last sample beside the trace
    for (int u = 0; u < columns;) {
      if (!marked(m, u)) {
        out[at + u] = in[at + u];
        good = u++;
        continue;
      }
      int next = u;
      while (next < columns && marked(m, next)) ++next;
      fill(at, u, next, good);
      count += next - u;
      u = next;
    }
    replaced[line] = static_cast<float>(count < columns ? count : -1 - columns);
  }
  ISOCENTER_HD void fill(std::int64_t at, int begin, int end, int good) const {
    const bool left = good >= 0, right = end < columns;
    const float a = left ? in[at + good] / normal(at + good) : 0.0F;
    const float b = right ? in[at + end] / normal(at + end) : a;
    for (int u = begin; u < end; ++u) {
      const float t = left ? to_float(u - good) / to_float(end - good) : 1.0F;
      out[at + u] = left || right ? (a + (b - a) * t) * normal(at + u) : in[at + u];
    }
  }
};

}  // namespace isocenter::detail
