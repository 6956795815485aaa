#pragma once
// The bricks of all time frames of a volume in scratch memory.
#include "core/launcher.hpp"
#include "core/volume_input.hpp"
#include "render/bricks.hpp"

namespace isocenter::detail {

inline BrickGrid empty_brick_grid(const GridShape& s) {
  return {nullptr, bricks_along(s.nx), bricks_along(s.ny), bricks_along(s.nz)};
}
inline std::int64_t bricks_of(const GridShape& s) {
  return static_cast<std::int64_t>(bricks_along(s.nx)) * bricks_along(s.ny) * bricks_along(s.nz);
}
/// One number for each brick and time frame.
inline std::int64_t brick_array_floats(const GridShape& s) { return (bricks_of(s) * s.nt + 63) / 64 * 64; }
inline std::uint64_t brick_array_bytes(const GridShape& s) {
  return static_cast<std::uint64_t>(brick_array_floats(s)) * sizeof(float);
}

template <class K>
void launch_over_bricks(const Launcher& launcher, const GridShape& s, const K& kernel) {
  launch(launcher, kernel, bricks_along(s.nx), bricks_along(s.ny), bricks_along(s.nz) * s.nt);
}

inline void find_brick_ranges(const Launcher& launcher, const GridShape& s, const float* voxels, float* low,
                              float* high) {
  launch_over_bricks(launcher, s, BrickRangeKernel{voxels, low, high, s.nx, s.ny, s.nz});
}

/// The Chebyshev distances from `content`, in `result`; both are overwritten.
inline void find_brick_distances(const Launcher& launcher, const GridShape& s, float* content, float* result) {
  const int bx = bricks_along(s.nx), by = bricks_along(s.ny), bz = bricks_along(s.nz);
  launch_over_bricks(launcher, s, BrickDistanceKernel{content, result, bx, by, bz, 0});
  launch_over_bricks(launcher, s, BrickDistanceKernel{result, content, bx, by, bz, 1});
  launch_over_bricks(launcher, s, BrickDistanceKernel{content, result, bx, by, bz, 2});
}

}  // namespace isocenter::detail
