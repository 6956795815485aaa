#pragma once
// Scatter as the primary intensity's own blur: estimated on a coarse grid by iteration, taken off before the logarithm.
// Intensities are relative to the open beam.
#include "core/lane_math.hpp"

namespace isocenter::detail {

/// The coarse grid of a detector: cells of step_u × step_v elements (the last of a line may be smaller).
struct ScatterGrid {
  int columns, rows;  ///< of the detector
  int step_u, step_v;
  int cells_u, cells_v;
};

/// e^{-p}, above 1 for p < 0; 0 for NaN.
template <class Float>
ISOCENTER_HD Float intensity_of(Float p) {
  const Float size = exp_negative(max(p, Float{} - p));
  return select(p < 0.0F, 1.0F / max(size, Float{} + 1e-30F), size);
}

/// Mean of e^{-p} in each cell. Launched over cells_u × cells_v × views.
struct ScatterCoarsen {
  static constexpr const char* name = "recon/scatter_coarsen";
  const float* in;
  float* measured;
  ScatterGrid grid;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int z) const {
    for (int k = 0; k < Lanes::width; ++k) cell(x + k, y, z);
  }

 private:
  ISOCENTER_HD void cell(int cu, int cv, int view) const {
    const int u1 = min((cu + 1) * grid.step_u, grid.columns), v1 = min((cv + 1) * grid.step_v, grid.rows);
    float sum = 0.0F;
    int count = 0;
    for (int v = cv * grid.step_v; v < v1; ++v)
      for (int u = cu * grid.step_u; u < u1; ++u, ++count)
        sum += intensity_of(in[(static_cast<std::int64_t>(view) * grid.rows + v) * grid.columns + u]);
    measured[(static_cast<std::int64_t>(view) * grid.cells_v + cv) * grid.cells_u + cu] = sum / to_float(count);
  }
};

/// What scatters: q = P (-ln P)^with_thickness with the primary P = measured - scatter, at least `least` of measured.
/// Launched over cells_u × cells_v × views.
struct ScatterSource {
  static constexpr const char* name = "recon/scatter_source";
  const float* measured;
  const float* scatter;  ///< null: none yet
  float* source;
  ScatterGrid grid;
  float least;
  bool with_thickness;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int z) const {
    using Float = typename Lanes::Float;
    const std::int64_t at = (static_cast<std::int64_t>(z) * grid.cells_v + y) * grid.cells_u + x;
    const Float m = load(lanes, measured + at);
    Float primary = m;
    if (scatter != nullptr) primary = max(m - load(lanes, scatter + at), m * least);
    Float q = primary;
    if (with_thickness) q *= max(log2_positive(max(primary, Float{} + 1e-30F)) * -0.69314718F, Float{});
    store(source + at, q);
  }
};

/// Convolution along u or v with a symmetric kernel, zero beyond the detector. Launched over cells_u × cells_v × views.
struct ScatterBlur {
  static constexpr const char* name = "recon/scatter_blur";
  const float* in;
  float* out;
  const float* weights;  ///< radius + 1, from the middle on
  ScatterGrid grid;
  int radius;
  bool along_u;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int z) const {
    using Float = typename Lanes::Float;
    const std::int64_t plane = static_cast<std::int64_t>(z) * grid.cells_v * grid.cells_u;
    Float sum = Float{};
    if (along_u) {
      const float* row = in + plane + static_cast<std::int64_t>(y) * grid.cells_u;
      for (int i = -radius; i <= radius; ++i) {
        const auto u = Lanes::iota(x) + i;
        const Float v = gather(row, clamp(u, 0, grid.cells_u - 1));
        sum += select(u == clamp(u, 0, grid.cells_u - 1), v, Float{}) * weights[i < 0 ? -i : i];
      }
    } else {
      for (int i = max(-radius, -y); i <= min(radius, grid.cells_v - 1 - y); ++i)
        sum +=
            load(Lanes{}, in + plane + static_cast<std::int64_t>(y + i) * grid.cells_u + x) * weights[i < 0 ? -i : i];
    }
    store(out + plane + static_cast<std::int64_t>(y) * grid.cells_u + x, sum);
  }
};

/// Mean of each view's source. Launched over views.
struct ScatterMean {
  static constexpr const char* name = "recon/scatter_mean";
  const float* source;
  float* mean;
  ScatterGrid grid;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int, int) const {
    const std::int64_t cells = static_cast<std::int64_t>(grid.cells_u) * grid.cells_v;
    for (int k = 0; k < Lanes::width; ++k) {
      double sum = 0.0;
      for (std::int64_t i = 0; i < cells; ++i) sum += static_cast<double>(source[(x + k) * cells + i]);
      mean[x + k] = static_cast<float>(sum / static_cast<double>(cells));
    }
  }
};

/// scatter = amplitude ((1 - uniform) blurred + uniform mean), in place. Launched over cells_u × cells_v × views.
struct ScatterCombine {
  static constexpr const char* name = "recon/scatter_combine";
  float* scatter;  ///< blurred when it begins
  const float* mean;
  ScatterGrid grid;
  float amplitude, uniform;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int z) const {
    const std::int64_t at = (static_cast<std::int64_t>(z) * grid.cells_v + y) * grid.cells_u + x;
    store(scatter + at, (load(lanes, scatter + at) * (1.0F - uniform) + uniform * mean[z]) * amplitude);
  }
};

/// out = -ln(max(e^{-p} - S, least e^{-p})), S bilinear between the cells' middles. Launched over columns × rows ×
/// views.
struct ScatterSubtract {
  static constexpr const char* name = "recon/scatter_subtract";
  const float* in;
  const float* scatter;
  float* out;
  ScatterGrid grid;
  float least;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int z) const {
    using Float = typename Lanes::Float;
    const std::int64_t at = (static_cast<std::int64_t>(z) * grid.rows + y) * grid.columns + x;
    const float v = clamp((to_float(y) + 0.5F) / to_float(grid.step_v) - 0.5F, 0.0F, to_float(grid.cells_v - 1));
    const Float u = clamp((to_float(Lanes::iota(x)) + 0.5F) * (1.0F / to_float(grid.step_u)) - 0.5F, 0.0F,
                          to_float(grid.cells_u - 1));
    const int v0 = to_int(v), v1 = min(v0 + 1, grid.cells_v - 1);
    const auto u0 = to_int(u), u1 = clamp(u0 + 1, 0, grid.cells_u - 1);
    const Float fu = u - to_float(u0);
    const float fv = v - to_float(v0);
    const float* plane = scatter + static_cast<std::int64_t>(z) * grid.cells_v * grid.cells_u;
    const auto line = [&](int row) {
      const float* p = plane + static_cast<std::int64_t>(row) * grid.cells_u;
      const Float a = gather(p, u0);
      return a + (gather(p, u1) - a) * fu;
    };
    const Float low = line(v0);
    const Float s = low + (line(v1) - low) * fv;
    const Float p = load(lanes, in + at);
    const Float intensity = max(intensity_of(p), Float{} + 1e-30F);
    const Float left = max(1.0F - s / intensity, Float{} + least);
    store(out + at, p - log2_positive(left) * 0.69314718F);
  }
};

}  // namespace isocenter::detail
