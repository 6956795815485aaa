#pragma once
// What amsterdam_shroud computes, apart from the operator.
#include <cstdint>
#include <span>

#include "core/launch.hpp"

namespace isocenter::detail {

struct ShroudScan {
  const float* projections;  ///< views × rows × columns
  int views, rows, columns;
  bool rows_upwards;  ///< row 0 is nearest to the feet
};

/// shroud[row][view] = Σ over columns of the edges from lung above to tissue below. The first and last row are 0.
void make_shroud(const Launcher& threads, const ShroudScan& scan, float* shroud);

/// signal[view]: how far the shroud's content has moved towards the feet since view 0, in rows: least squares between
/// neighbouring views within `reach` rows, added up. `work`: 3 · rows doubles.
void shroud_motion(const float* shroud, int views, int rows, bool rows_upwards, int reach, double* signal,
                   double* work);

/// Takes the moving mean over `window` views (odd) away from `values`, or puts it in their place. The window ends where
/// the values do. `work`: as many doubles + 1.
void take_moving_mean(std::span<double> values, int window, bool away, double* work);

}  // namespace isocenter::detail
