#pragma once
// Sums of long arrays, in place where wanted, and their norms: the arithmetic of iterative reconstruction. Lengths are
// multiples of 16. Scalars that an array's norm decides stay in the device's memory, so that nothing waits for them.
#include "core/launch.hpp"

namespace isocenter::detail {

/// One place of an array that is launched in rows.
constexpr std::int64_t flat_row = 16384;

template <class K>
void launch_flat(const Launcher& launcher, K kernel, std::int64_t n) {
  kernel.base = 0;
  const std::int64_t rows = n / flat_row;
  if (rows > 0) launch(launcher, kernel, static_cast<int>(flat_row), static_cast<int>(rows), 1);
  kernel.base = rows * flat_row;
  if (n > kernel.base) launch(launcher, kernel, static_cast<int>(n - kernel.base), 1, 1);
}

/// to = value.
struct FillFloats {
  static constexpr const char* name = "recon/fill";
  float* to;
  float value;
  std::int64_t base = 0;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    using Float = typename Lanes::Float;
    store(to + base + y * flat_row + x, Float{} + value);
  }
};

inline void fill(const Launcher& launcher, float* to, std::int64_t n, float value) {
  launch_flat(launcher, FillFloats{to, value}, n);
}

}  // namespace isocenter::detail
