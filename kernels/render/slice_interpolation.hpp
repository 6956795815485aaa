#pragma once
// Interpolation between slices along structures; isocenter/render/slice_interpolation.hpp has the method and its
// source.
#include "render/picture.hpp"
#include "render/sampling.hpp"

namespace isocenter::detail {

/// Mean displacement, weighted by exp(-cost / softness), while costs come one after the other. The weights so far are
/// relative to the smallest cost so far.
template <class Float>
struct SoftMinimum {
  Float best, weight, sum_x, sum_y;

  static ISOCENTER_HD SoftMinimum start() { return {Float{} + 3e37F, Float{}, Float{}, Float{}}; }
  ISOCENTER_HD void add(Float cost, float x, float y, float softness) {
    const Float better = best - cost;  // positive: all weights so far fade
    const Float e = exp_negative(max(better, 0.0F - better) * (1.0F / softness));
    const auto fades = better > 0.0F;
    const Float fade = select(fades, e, Float{} + 1.0F), w = select(fades, Float{} + 1.0F, e);
    weight = weight * fade + w;
    sum_x = sum_x * fade + w * x;
    sum_y = sum_y * fade + w * y;
    best = min(cost, best);
  }
};

/// The displacement of one pixel half way between two slices, in pixels: around (x - dx, y - dy) the slice below looks
/// like the slice above around (x + dx, y + dy). Over all displacements in reach, the mean weighted by
///   exp(-(mean |difference| over 5 × 5 pixels two apart + rest · |d|) / softness),
/// values held to [low, high] first. Launched over nx × ny × 1. The tuned variant (slice_match_tuned.hpp) shares the
/// differences between pixels and gives the same bits.
struct SliceMatchKernel {
  static constexpr const char* name = "render/slice_match";
  static constexpr int patch = 4;  ///< radius of the 5 × 5 pixels, two apart
  const float* below;
  const float* above;
  float* dx;
  float* dy;
  int nx, ny;
  int reach_x, reach_y;  ///< pixels
  float low, high;
  float rest_x, rest_y;  ///< value per pixel: how much a displacement must gain
  float softness;        ///< value

  ISOCENTER_HD float rest(int i, int j) const {
    const float x = rest_x * static_cast<float>(i), y = rest_y * static_cast<float>(j);
    return square_root(x * x + y * y + 1e-12F);
  }

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    using Float = typename Lanes::Float;
    auto found = SoftMinimum<Float>::start();
    for (int j = -reach_y; j <= reach_y; ++j)
      for (int i = -reach_x; i <= reach_x; ++i)
        found.add(difference(Lanes{}, x, y, i, j) * (1.0F / 25.0F) + rest(i, j), static_cast<float>(i),
                  static_cast<float>(j), softness);
    store(dx + static_cast<std::int64_t>(y) * nx + x, found.sum_x / found.weight);
    store(dy + static_cast<std::int64_t>(y) * nx + x, found.sum_y / found.weight);
  }

 private:
  template <class Lanes>
  ISOCENTER_HD auto difference(Lanes, int x, int y, int i, int j) const {
    using Float = typename Lanes::Float;
    const auto xs = Lanes::iota(x);
    Float sum = Float{};
    for (int v = -patch; v <= patch; v += 2) {
      const float* a = below + static_cast<std::int64_t>(clamp(y - j + v, 0, ny - 1)) * nx;
      const float* b = above + static_cast<std::int64_t>(clamp(y + j + v, 0, ny - 1)) * nx;
      Float row = Float{};
      for (int u = -patch; u <= patch; u += 2) {
        const Float p = gather(a, clamp(xs - i + u, 0, nx - 1)), q = gather(b, clamp(xs + i + u, 0, nx - 1));
        const Float d = clamp(p, low, high) - clamp(q, low, high);
        row += max(d, 0.0F - d);
      }
      sum += row;
    }
    return sum;
  }
};

/// Smooths a field along one axis with the binomial weights of 8 steps (σ of 1.4 pixels at stride 1), taps `stride`
/// apart. Launched over nx × ny × 1.
struct FieldSmoothKernel {
  static constexpr const char* name = "render/field_smooth";
  const float* in;
  float* out;
  int nx, ny;
  int axis;  ///< 0: along x, 1: along y
  int stride;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    using Float = typename Lanes::Float;
    const float weights[] = {70.0F / 256, 56.0F / 256, 28.0F / 256, 8.0F / 256, 1.0F / 256};
    const float* row = in + static_cast<std::int64_t>(y) * nx;
    const auto xs = Lanes::iota(x);
    Float sum = load(Lanes{}, row + x) * weights[0];
    for (int i = 1; i <= 4; ++i) {
      const int step = i * stride;
      const Float a = axis == 0 ? gather(row, clamp(xs - step, 0, nx - 1))
                                : load(Lanes{}, in + static_cast<std::int64_t>(clamp(y - step, 0, ny - 1)) * nx + x);
      const Float b = axis == 0 ? gather(row, clamp(xs + step, 0, nx - 1))
                                : load(Lanes{}, in + static_cast<std::int64_t>(clamp(y + step, 0, ny - 1)) * nx + x);
      sum += (a + b) * weights[i];
    }
    store(out + static_cast<std::int64_t>(y) * nx + x, sum);
  }
};

/// One pixel of the slice at `fraction` of the way from below to above. Launched over nx × ny × 1.
struct SliceBlendKernel {
  static constexpr const char* name = "render/slice_blend";
  const float* below;
  const float* above;
  const float* dx;  ///< or null: straight across
  const float* dy;
  float* out;
  const std::uint8_t* labels_below;  ///< or null
  const std::uint8_t* labels_above;
  std::uint8_t* labels_out;
  int nx, ny;
  float fraction;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int) const {
    using Float = typename Lanes::Float;
    const std::int64_t at = static_cast<std::int64_t>(y) * nx + x;
    const Float px = to_float(Lanes::iota(x)), py = Float{} + static_cast<float>(y), zero = Float{};
    Float mx = zero, my = zero;
    if (dx != nullptr) {
      mx = load(Lanes{}, dx + at);
      my = load(Lanes{}, dy + at);
    }
    const float down = 2.0F * fraction, up = 2.0F - 2.0F * fraction;
    const Sampler a{below, nx, ny, 1}, b{above, nx, ny, 1};
    if (fraction <= 0.0F || fraction >= 1.0F) {  // the slices that were given stay as they are, bit for bit
      store(out + at, load(Lanes{}, (fraction <= 0.0F ? below : above) + at));
    } else {
      const Float va = a.trilinear(lanes, px - down * mx, py - down * my, zero);
      const Float vb = b.trilinear(lanes, px + up * mx, py + up * my, zero);
      store(out + at, va * (1.0F - fraction) + vb * fraction);
    }
    if (labels_out != nullptr) {
      const bool lower = fraction < 0.5F;
      const Float move = Float{} + (lower ? 0.0F - down : up);
      const auto label =
          gather_byte(lower ? labels_below : labels_above, a.nearest_index(px + move * mx, py + move * my, zero));
      store_byte(labels_out + at, 1, label);
    }
  }
};

}  // namespace isocenter::detail
