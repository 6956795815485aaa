#pragma once
// Back projection tuned for an instruction set of the CPU. The same sum as FbpBackProject but for rounding:
// ‖difference‖ / ‖sum‖ < 2e-5 even for rows of white noise. Same bits for any number of threads.
#include "core/launch.hpp"
#include "recon/fbp.hpp"

namespace isocenter::detail {

struct FbpVariant {
  const char* name;
  /// One slice, `strip_rows` rows of pixels from y0 on, from a stack by_slice.
  void (*strip)(const FbpBackProject& job, int y0, int slice);
  int strip_rows;
  /// All slices of a tile of pixels, from a stack by_column.
  void (*tile)(const FbpBackProject& job, int x0, int y0);
  int tile_x, tile_y;
};

const FbpVariant* fbp_variant_avx512();  ///< null on other processors
const FbpVariant* fbp_variant_avx2();
const FbpVariant* fbp_variant_of_this_processor();  ///< the best, or null

/// From as many slices on a stack by_column is faster than one by_slice.
constexpr int fbp_slices_worth_columns = 3;

void fbp_back_project_by(const Launcher& launcher, const FbpVariant& variant, const FbpBackProject& job);

}  // namespace isocenter::detail
