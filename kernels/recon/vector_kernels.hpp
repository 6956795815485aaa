#pragma once
// The arithmetic of iterative reconstruction on long arrays. Lengths are multiples of 16. What a norm decides stays in
// the device's memory (double), so that nothing waits for it.
#include "core/lane_math.hpp"
#include "core/launch.hpp"

namespace isocenter::detail {

/// Arrays are launched in rows of this length.
constexpr std::int64_t flat_row = 16384;

/// Launches a kernel that has a member `base` over n positions: position base + y * flat_row + x.
template <class K>
void launch_flat(const Launcher& launcher, K kernel, std::int64_t n) {
  const std::int64_t rows = n / flat_row;
  kernel.base = 0;
  if (rows > 0) launch(launcher, kernel, static_cast<int>(flat_row), static_cast<int>(rows), 1);
  kernel.base = rows * flat_row;
  if (n > kernel.base) launch(launcher, kernel, static_cast<int>(n - kernel.base), 1, 1);
}
ISOCENTER_HD std::int64_t flat_place(std::int64_t base, int x, int y) { return base + y * flat_row + x; }

/// to = value.
struct FillFloats {
  static constexpr const char* name = "recon/fill";
  float* to;
  float value;
  std::int64_t base = 0;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    using Float = typename Lanes::Float;
    store(to + flat_place(base, x, y), Float{} + value);
  }
};

inline void fill(const Launcher& launcher, float* to, std::int64_t n, float value) {
  launch_flat(launcher, FillFloats{to, value}, n);
}

/// What PointwiseKernel makes of a and b.
enum class Pointwise : std::int32_t {
  subtract,             ///< a - b
  add,                  ///< a + b
  multiply,             ///< a · b
  quotient,             ///< a / b, and 0 where b is not above `scale`
  inverse,              ///< 1 / a, and 0 where a is not above `scale`
  emission_ratio,       ///< a / max(b, scale)
  transmission_excess,  ///< e^-b - e^-a: expected counts less those measured, in parts of the unattenuated ones
  counts_weighted,      ///< a e^-b
};

/// to = operation(a, b), which may be one and the same array.
struct PointwiseKernel {
  static constexpr const char* name = "recon/pointwise";
  float* to;
  const float* a;
  const float* b;
  Pointwise operation;
  float scale = 0.0F;
  std::int64_t base = 0;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int) const {
    using Float = typename Lanes::Float;
    const std::int64_t at = flat_place(base, x, y);
    const Float u = load(lanes, a + at), v = load(lanes, b + at);
    Float result = u - v;
    if (operation == Pointwise::add) result = u + v;
    if (operation == Pointwise::multiply) result = u * v;
    if (operation == Pointwise::quotient) result = select(v > scale, u / max(v, Float{} + 1e-30F), Float{});
    if (operation == Pointwise::inverse) result = select(u > scale, 1.0F / max(u, Float{} + 1e-30F), Float{});
    if (operation == Pointwise::emission_ratio) result = u / max(v, Float{} + scale);
    if (operation == Pointwise::transmission_excess) result = exp_of_minus(v) - exp_of_minus(u);
    if (operation == Pointwise::counts_weighted) result = u * exp_of_minus(v);
    store(to + at, result);
  }

  template <class Float>
  ISOCENTER_HD static Float exp_of_minus(Float p) {
    const Float e = exp_negative(max(p, -p));
    return select(p >= 0.0F, e, 1.0F / max(e, Float{} + 1e-30F));
  }
};

/// to = to + factor · step, where weights are given times weights, and cut to what is allowed: not below zero with
/// `positive`, times the mask where there is one. factor = scale · *numerator / *denominator; either may be null (1),
/// and a denominator of 0 gives 0.
struct StepKernel {
  static constexpr const char* name = "recon/step";
  float* to;
  const float* step;
  const float* weights;
  const float* mask;
  float scale = 1.0F;
  const double* numerator = nullptr;
  const double* denominator = nullptr;
  bool positive = false;
  std::int64_t base = 0;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int) const {
    using Float = typename Lanes::Float;
    const std::int64_t at = flat_place(base, x, y);
    double factor = scale;
    if (numerator != nullptr) factor *= *numerator;
    if (denominator != nullptr) factor = *denominator != 0.0 ? factor / *denominator : 0.0;
    Float d = load(lanes, step + at) * static_cast<float>(factor);
    if (weights != nullptr) d = d * load(lanes, weights + at);
    Float v = load(lanes, to + at) + d;
    if (positive) v = max(v, Float{});
    if (mask != nullptr) v = v * load(lanes, mask + at);
    store(to + at, v);
  }
};

/// The momentum of FISTA: to = fresh + factor · (fresh - last), then last = fresh.
struct MomentumKernel {
  static constexpr const char* name = "recon/momentum";
  float* to;           ///< becomes new + factor (new - last)
  float* last;         ///< becomes new
  const float* fresh;  ///< new
  float factor;
  std::int64_t base = 0;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int) const {
    const std::int64_t at = flat_place(base, x, y);
    const auto v = load(lanes, fresh + at);
    store(to + at, v + factor * (v - load(lanes, last + at)));
    store(last + at, v);
  }
};

/// direction = gradient + direction · *numerator / *denominator, the conjugate direction.
struct ConjugateKernel {
  static constexpr const char* name = "recon/conjugate";
  float* direction;
  const float* gradient;
  const double* numerator;
  const double* denominator;
  std::int64_t base = 0;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int) const {
    const std::int64_t at = flat_place(base, x, y);
    const auto factor = static_cast<float>(*denominator != 0.0 ? *numerator / *denominator : 0.0);
    store(direction + at, load(lanes, gradient + at) + factor * load(lanes, direction + at));
  }
};

constexpr int reduction_parts = 1024;

/// parts[y] = Σ a b over the y-th part of n positions, or the largest a. Launched over 1 × reduction_parts.
struct ReduceKernel {
  static constexpr const char* name = "recon/reduce";
  const float* a;
  const float* b;  ///< null: the largest a
  double* parts;
  std::int64_t n;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int, int y, int) const {
    const std::int64_t length = (n + reduction_parts - 1) / reduction_parts;
    const std::int64_t begin = y * length, end = begin + length < n ? begin + length : n;
    double sum[4] = {0, 0, 0, 0};
    for (std::int64_t i = begin; i < end; ++i) {
      if (b != nullptr)
        sum[i & 3] += static_cast<double>(a[i]) * static_cast<double>(b[i]);
      else
        sum[0] = sum[0] > static_cast<double>(a[i]) ? sum[0] : static_cast<double>(a[i]);
    }
    parts[y] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
  }
};

/// *result = the sum of the parts, or the largest; added to what is there when it goes on.
struct ReducePartsKernel {
  static constexpr const char* name = "recon/reduce_parts";
  const double* parts;
  double* result;
  bool largest;
  bool goes_on;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int, int, int) const {
    double value = goes_on ? *result : 0.0;
    for (int i = 0; i < reduction_parts; ++i)
      value = largest ? (parts[i] > value ? parts[i] : value) : value + parts[i];
    *result = value;
  }
};

/// *result = Σ a b (b null: the largest a, at least 0), in double and in a fixed order; `parts` has reduction_parts
/// places.
inline void reduce(const Launcher& launcher, const float* a, const float* b, std::int64_t n, double* parts,
                   double* result, bool goes_on = false) {
  launch(launcher, ReduceKernel{a, b, parts, n}, 1, reduction_parts, 1);
  launch(launcher, ReducePartsKernel{parts, result, b == nullptr, goes_on}, 1, 1, 1);
}

}  // namespace isocenter::detail
