#pragma once
#include "recon/joseph.hpp"

namespace isocenter::detail {

/// The lines of some views as a slab of the volume sees them, whose slice 0 is slice `first` of the whole: the same
/// positions less `first`, so that the projections of all slabs add up to the whole's. Launched over lines and runs of
/// a view × 1 × views; views come one after the other.
struct JosephSlab {
  static constexpr const char* name = "recon/joseph_slab";
  const JosephLine* from;
  const std::int32_t* order;  ///< the view that comes at each place
  JosephLine* to;
  std::int32_t lines_of_view;  ///< with their runs
  std::int32_t c_axis[3];      ///< of the lines that step along x, y, z
  std::int32_t first, height;  ///< slices along z

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int, int place) const {
    for (int i = x; i < x + Lanes::width; ++i) {
      JosephLine line = from[static_cast<std::int64_t>(order[place]) * lines_of_view + i];
      const float shift = to_float(first);
      if (line.axis == 2) {
        line.centre -= shift;
        line.first = line.first > first ? line.first - first : 0;
        line.last = line.last - first < height ? line.last - first : height - 1;
      } else if (c_axis[line.axis] == 2) {
        line.c0 -= shift;
        line.c1 -= shift * line.r1;
      } else {
        line.b0 -= shift;
        line.b1 -= shift * line.r1;
      }
      to[static_cast<std::int64_t>(place) * lines_of_view + i] = line;
    }
  }
};

}  // namespace isocenter::detail
