#pragma once
#include <cstdint>

#include "core/launch.hpp"

namespace isocenter::detail {

/// The voxels that count: an upright cylinder.
struct ErrorRegion {
  double centre[3];  ///< in voxels
  double spacing_mm[3];
  double radius_mm;       ///< around z; 0: no limit
  double half_height_mm;  ///< 0: no limit
};

/// The voxels first to last of a row; none when first > last.
struct RowSpan {
  std::int64_t first, last;
};
bool slice_in_region(const ErrorRegion& region, std::int64_t z);
RowSpan row_in_region(const ErrorRegion& region, std::int64_t nx, std::int64_t y);

struct VolumeError {
  std::int64_t voxels = 0;
  double rmse = 0, mean_error = 0, largest_error = 0, relative_error = 0, psnr_db = 0;
  double range = 0;  ///< the truth's largest minus its smallest value
};

/// Errors of one frame of nx × ny × nz voxels; relative_error counts both from `vacuum`. Sums run over slices in order,
/// so that they do not depend on threads; `sums` is scratch of volume_error_sums(nz) doubles.
VolumeError volume_error(const Launcher& threads, const float* volume, const float* truth, std::int64_t nx,
                         std::int64_t ny, std::int64_t nz, const ErrorRegion& region, double vacuum, double* sums);
constexpr std::uint64_t volume_error_sums(std::int64_t nz) { return static_cast<std::uint64_t>(nz) * 7; }

}  // namespace isocenter::detail
