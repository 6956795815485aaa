#pragma once
#include "core/lanes.hpp"

namespace isocenter::detail {

/// x: 32-bit numbers. Zeroes what a run counts in.
struct ZeroKernel {
  static constexpr const char* name = "volume/zero";
  std::uint32_t* to;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int, int) const {
    for (int k = x; k < x + Lanes::width; ++k) to[k] = 0;
  }
};

}  // namespace isocenter::detail
