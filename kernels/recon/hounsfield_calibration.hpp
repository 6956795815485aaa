#pragma once
#include "core/lane_math.hpp"

namespace isocenter::detail {

/// A sphere (or, with no z, an upright cylinder) in voxels.
struct CalibrationRegion {
  float centre[3];
  float inverse_radius[3];  ///< 0 along z: a cylinder
};

/// Sum and number of a region's voxels in each row. Launched over ny × nz (of all time frames).
struct RegionRowSums {
  static constexpr const char* name = "recon/region_row_sums";
  const float* in;
  double* sums;  ///< [z][y][2]
  int nx, ny, nz;
  CalibrationRegion region;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    for (int k = 0; k < Lanes::width; ++k) row(x + k, y);
  }

 private:
  ISOCENTER_HD void row(int y, int z) const {
    const float dy = (to_float(y) - region.centre[1]) * region.inverse_radius[1];
    const float dz = (to_float(z % nz) - region.centre[2]) * region.inverse_radius[2];
    const std::int64_t at = static_cast<std::int64_t>(z) * ny + y;
    double sum = 0.0, count = 0.0;
    for (int x = 0; x < nx; ++x) {
      const float dx = (to_float(x) - region.centre[0]) * region.inverse_radius[0];
      if (dx * dx + dy * dy + dz * dz > 1.0F) continue;
      sum += static_cast<double>(in[at * nx + x]);
      count += 1.0;
    }
    sums[2 * at] = sum;
    sums[2 * at + 1] = count;
  }
};

/// The line through (mean of the water region, 0 HU) and (mean of the air region, -1000 HU); a mean that is given
/// counts in the place of its region. Launched over one position.
struct CalibrationLine {
  static constexpr const char* name = "recon/calibration_line";
  const double* water_sums;  ///< of RegionRowSums; null: water
  const double* air_sums;    ///< null: air
  std::int64_t rows;
  double water, air;
  double* line;  ///< slope, intercept, water's mean and number, air's mean and number

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int, int, int) const {
    double means[2] = {water, air}, numbers[2] = {0.0, 0.0};
    const double* from[2] = {water_sums, air_sums};
    for (int i = 0; i < 2; ++i) {
      if (from[i] == nullptr) continue;
      double sum = 0.0;
      for (std::int64_t r = 0; r < rows; ++r) {
        sum += from[i][2 * r];
        numbers[i] += from[i][2 * r + 1];
      }
      means[i] = sum / numbers[i];
    }
    line[0] = 1000.0 / (means[0] - means[1]);
    line[1] = -line[0] * means[0];
    for (int i = 0; i < 2; ++i) {
      line[2 + 2 * i] = means[i];
      line[3 + 2 * i] = numbers[i];
    }
  }
};

/// out = line[0] · in + line[1]. Launched over nx × ny × nz.
struct ApplyCalibration {
  static constexpr const char* name = "recon/apply_calibration";
  const float* in;
  float* out;
  const double* line;
  int nx, ny;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int z) const {
    const std::int64_t at = (static_cast<std::int64_t>(z) * ny + y) * nx + x;
    store(out + at, load(lanes, in + at) * static_cast<float>(line[0]) + static_cast<float>(line[1]));
  }
};

}  // namespace isocenter::detail
