#include "recon/volume_error.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace isocenter::detail {

namespace {

/// What one slice adds.
struct SliceSums {
  double count, error, error_squared, truth_squared, largest, lowest_truth, highest_truth;
};
static_assert(sizeof(SliceSums) == 7 * sizeof(double));

SliceSums sum_slice(const float* volume, const float* truth, std::int64_t nx, std::int64_t ny, std::int64_t z,
                    const ErrorRegion& region, double vacuum) {
  SliceSums s{0, 0, 0, 0, 0, std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  if (!slice_in_region(region, z)) return s;
  for (std::int64_t y = 0; y < ny; ++y) {
    const RowSpan row = row_in_region(region, nx, y);
    for (std::int64_t x = row.first; x <= row.last; ++x) {
      const double t = truth[(z * ny + y) * nx + x], e = volume[(z * ny + y) * nx + x] - t;
      s.count += 1;
      s.error += e;
      s.error_squared += e * e;
      s.truth_squared += (t - vacuum) * (t - vacuum);
      s.largest = std::max(s.largest, std::isnan(e) ? std::numeric_limits<double>::infinity() : std::fabs(e));
      s.lowest_truth = std::min(s.lowest_truth, t);
      s.highest_truth = std::max(s.highest_truth, t);
    }
  }
  return s;
}

}  // namespace

bool slice_in_region(const ErrorRegion& region, std::int64_t z) {
  const double height = std::fabs(static_cast<double>(z) - region.centre[2]) * region.spacing_mm[2];
  return region.half_height_mm <= 0.0 || height <= region.half_height_mm;
}

RowSpan row_in_region(const ErrorRegion& region, std::int64_t nx, std::int64_t y) {
  if (region.radius_mm <= 0.0) return {0, nx - 1};
  const double dy = (static_cast<double>(y) - region.centre[1]) * region.spacing_mm[1];
  const double half_squared = region.radius_mm * region.radius_mm - dy * dy;
  if (half_squared < 0.0) return {0, -1};
  const double half = std::sqrt(half_squared) / region.spacing_mm[0];
  return {std::max<std::int64_t>(0, static_cast<std::int64_t>(std::ceil(region.centre[0] - half))),
          std::min<std::int64_t>(nx - 1, static_cast<std::int64_t>(std::floor(region.centre[0] + half)))};
}

VolumeError volume_error(const Launcher& threads, const float* volume, const float* truth, std::int64_t nx,
                         std::int64_t ny, std::int64_t nz, const ErrorRegion& region, double vacuum, double* sums) {
  auto* slices = reinterpret_cast<SliceSums*>(sums);
  parallel_for(threads, nz, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t z = begin; z < end; ++z) slices[z] = sum_slice(volume, truth, nx, ny, z, region, vacuum);
  });
  SliceSums all = slices[0];
  for (std::int64_t z = 1; z < nz; ++z) {
    all.count += slices[z].count;
    all.error += slices[z].error;
    all.error_squared += slices[z].error_squared;
    all.truth_squared += slices[z].truth_squared;
    all.largest = std::max(all.largest, slices[z].largest);
    all.lowest_truth = std::min(all.lowest_truth, slices[z].lowest_truth);
    all.highest_truth = std::max(all.highest_truth, slices[z].highest_truth);
  }
  VolumeError e;
  e.voxels = static_cast<std::int64_t>(all.count);
  if (e.voxels == 0) return e;
  e.rmse = std::sqrt(all.error_squared / all.count);
  e.mean_error = all.error / all.count;
  e.largest_error = all.largest;
  e.relative_error = std::sqrt(all.error_squared / all.truth_squared);
  e.range = all.highest_truth - all.lowest_truth;
  e.psnr_db = 20.0 * std::log10(e.range / e.rmse);
  return e;
}

}  // namespace isocenter::detail
