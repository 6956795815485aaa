#include "recon/helical_grid.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>

namespace isocenter::detail {

namespace {

constexpr double pi = std::numbers::pi;

std::vector<double> three(const std::vector<double>& v, const char* name) {
  if (v.size() == 1) return {v[0], v[0], v[0]};
  if (v.size() != 3)
    throw Failure(ErrorCode::invalid_argument,
                  std::string(name) + " has " + std::to_string(v.size()) + " numbers, and one or three are needed",
                  "give one number, or x, y, z");
  return v;
}

void check_pitch(const Helix& helix, double radius_mm) {
  const double feed = helix.feed_per_rotation_mm(), most = largest_feed_mm(helix, radius_mm);
  if (feed > most * (1.0 + 1e-6))
    throw Failure(ErrorCode::invalid_argument,
                  "the table moves by " + helical_number(feed) + " mm in a rotation (pitch " +
                      helical_number(helical_pitch(helix, feed)) + "), and " + std::to_string(helix.rows) +
                      " rows cover a radius of " + helical_number(radius_mm) + " mm without gaps up to " +
                      helical_number(std::max(most, 0.0)) + " mm (pitch " +
                      helical_number(helical_pitch(helix, std::max(most, 0.0))) + ")",
                  "scan at that pitch or below, or give fewer or smaller voxels along x and y");
}

void check_range(const Helix& helix, const HelicalGrid& grid, std::int64_t fitting_slices) {
  const double dz = grid.volume.geometry.spacing_mm[2], low = grid.volume.geometry.origin_mm[2];
  const double high = low + static_cast<double>(grid.volume.nz - 1) * dz;
  const HelicalRange& covered = grid.covered;
  if (covered.low_mm > covered.high_mm)
    throw Failure(ErrorCode::bad_data,
                  "the helix of " + helical_number(std::fabs(helix.step_rad) * (helix.views - 1) * 180.0 / pi) +
                      " deg sees no slice of radius " + helical_number(grid.radius_mm) + " mm from half a turn: " +
                      helical_number(covered.low_mm - covered.high_mm) + " mm of the way are missing",
                  "scan longer, at a smaller pitch, or give fewer or smaller voxels along x and y");
  const double slack = 1e-6 * dz;
  if (low < covered.low_mm - slack || high > covered.high_mm + slack)
    throw Failure(ErrorCode::invalid_argument,
                  "the slices lie from z = " + helical_number(low) + " to " + helical_number(high) +
                      " mm, and the helix covers z = " + helical_number(covered.low_mm) + " to " +
                      helical_number(covered.high_mm) + " mm at a radius of " + helical_number(grid.radius_mm) + " mm",
                  fitting_slices > 0
                      ? "set nz to " + std::to_string(fitting_slices) + " or less, or to 0 for all of them"
                      : "move the grid by offset_mm into that range");
}

}  // namespace

std::string helical_number(double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%.5g", v);
  return text;
}

double helical_pitch(const Helix& helix, double feed_per_rotation_mm) {
  return feed_per_rotation_mm / (helix.rows * std::fabs(helix.row_step_mm) * helix.radius_mm / helix.detector_mm);
}

/// The grid in x and y, and from there the radius that it needs; then the slices.
HelicalGrid place_helical_grid(const Helix& helix, const HelicalGridRequest& request) {
  const std::vector<double> spacing = three(request.spacing_mm, "spacing_mm");
  const std::vector<double> offset = three(request.offset_mm, "offset_mm");
  const double at_axis =
      std::fabs(helix.column_step) * (helix.flat ? helix.radius_mm / helix.detector_mm : helix.radius_mm);
  const double centre[3] = {helix.centre_x_mm, helix.centre_y_mm, 0.5 * (helix.first_z_mm + helix.last_z_mm())};
  HelicalGrid grid;
  VolumeGrid& volume = grid.volume;
  volume.nx = request.nx > 0 ? request.nx : helix.columns;
  volume.ny = request.ny > 0 ? request.ny : helix.columns;
  double corner[2] = {};
  for (std::size_t k = 0; k < 3; ++k) {
    const double size = spacing[k] > 0.0 ? spacing[k] : at_axis;
    volume.geometry.spacing_mm[k] = size;
    if (k == 2) continue;
    const double half = 0.5 * static_cast<double>((k == 0 ? volume.nx : volume.ny) - 1) * size;
    volume.geometry.origin_mm[k] = centre[k] + offset[k] - half;
    corner[k] = half + std::fabs(offset[k]);
  }
  grid.corner_mm = std::hypot(corner[0], corner[1]);
  grid.radius_mm = std::min(grid.corner_mm, helix.field_of_view_mm());
  grid.covered = covered_range(helix, grid.radius_mm);
  const double middle = centre[2] + offset[2], dz = volume.geometry.spacing_mm[2];
  const double half = std::min(middle - grid.covered.low_mm, grid.covered.high_mm - middle);
  const std::int64_t fitting = half >= 0.0 ? 1 + static_cast<std::int64_t>(std::floor(2.0 * half / dz + 1e-6)) : 0;
  volume.nz = request.nz > 0 ? request.nz : std::clamp<std::int64_t>(fitting, 1, 8192);
  volume.geometry.origin_mm[2] = middle - 0.5 * static_cast<double>(volume.nz - 1) * dz;
  check_pitch(helix, grid.radius_mm);
  check_range(helix, grid, fitting);
  return grid;
}

HelicalSlices HelicalGrid::slices(const Helix& helix) const {
  const double fan = std::asin(helix.field_of_view_mm() / helix.radius_mm);
  const double slope = std::max(std::fabs(helix.centre_row), std::fabs(helix.rows - 1 - helix.centre_row)) *
                       std::fabs(helix.row_step_mm) / helix.detector_mm;
  const double reach =
      slope * (helix.radius_mm + std::max(helix.field_of_view_mm(), corner_mm)) + std::fabs(helix.feed_mm) * fan;
  return {volume.geometry.origin_mm[2], volume.geometry.spacing_mm[2], volume.nz, reach};
}

}  // namespace isocenter::detail
