#pragma once
#include "core/lanes.hpp"

namespace isocenter::detail {

/// Copies nx × ny floats; for operators that change only what is said about the data.
struct CopyViews {
  static constexpr const char* name = "recon/copy_views";
  const float* from;
  float* to;
  int nx;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int) const {
    const std::int64_t at = static_cast<std::int64_t>(y) * nx + x;
    store(to + at, load(lanes, from + at));
  }
};

}  // namespace isocenter::detail
