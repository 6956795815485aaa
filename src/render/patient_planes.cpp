#include "render/patient_planes.hpp"

#include <algorithm>
#include <cmath>

namespace isocenter::detail {
namespace {

double dot(const Vector3& a, const Vector3& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }
Vector3 scaled(const Vector3& a, double s) { return {s * a[0], s * a[1], s * a[2]}; }

Vector3 unit_of(const std::vector<double>& v, const char* name) {
  const double length = v.size() == 3 ? std::sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]) : 0.0;
  if (length < 1e-3)
    throw Failure(ErrorCode::invalid_argument,
                  std::string(name) + " has " + std::to_string(v.size()) +
                      " numbers or no length, and a direction x, y, z is needed",
                  "write 1, 0, 0 for the patient's left");
  return {v[0] / length, v[1] / length, v[2] / length};
}

}  // namespace

PlaneAxes anatomical_axes(int plane) {
  constexpr Vector3 left{1, 0, 0}, right{-1, 0, 0}, back{0, 1, 0}, head{0, 0, 1}, feet{0, 0, -1};
  if (plane == 0) return {left, back, head};
  if (plane == 1) return {left, feet, back};
  return {back, feet, right};
}

PlaneAxes oblique_axes(const std::vector<double>& row_direction, const std::vector<double>& column_direction) {
  const Vector3 r = unit_of(row_direction, "row_direction"), c = unit_of(column_direction, "column_direction");
  if (std::abs(dot(r, c)) > 1e-3)
    throw Failure(ErrorCode::invalid_argument,
                  "row_direction and column_direction have the product " +
                      to_parameter_text(static_cast<float>(dot(r, c))) + ", and must be at right angles",
                  "take the row's part off the column: column - (column · row) row");
  return {r, c, {r[1] * c[2] - r[2] * c[1], r[2] * c[0] - r[0] * c[2], r[0] * c[1] - r[1] * c[0]}};
}

Range extent_along(const GridShape& grid, const Vector3& direction) {
  Range range{1e300, -1e300};
  for (int corner = 0; corner < 8; ++corner) {
    const auto p = grid.geometry.position_mm((corner & 1) != 0 ? grid.nx - 1 : 0, (corner & 2) != 0 ? grid.ny - 1 : 0,
                                             (corner & 4) != 0 ? grid.nz - 1 : 0);
    range.low = std::min(range.low, dot(p, direction));
    range.high = std::max(range.high, dot(p, direction));
  }
  return range;
}

double spacing_along(const GridShape& grid, const Vector3& direction) {
  int nearest = 0;
  for (int axis = 1; axis < 3; ++axis)
    if (std::abs(dot(grid.geometry.axis(axis), direction)) > std::abs(dot(grid.geometry.axis(nearest), direction)))
      nearest = axis;
  return grid.geometry.spacing_mm[nearest];
}

int points_over(const Range& range, double step) {
  return static_cast<int>(std::min(std::floor((range.high - range.low) / step + 0.5), 1e6)) + 1;
}

PlaneGrid plane_grid(const Geometry& volume, const PlaneAxes& axes, const Vector3& origin_mm, double dx, double dy,
                     double dz) {
  const Vector3 from_first{origin_mm[0] - volume.origin_mm[0], origin_mm[1] - volume.origin_mm[1],
                           origin_mm[2] - volume.origin_mm[2]};
  const auto start = to_voxels(volume, from_first), across = to_voxels(volume, scaled(axes.row, dx)),
             down = to_voxels(volume, scaled(axes.column, dy)), next = to_voxels(volume, scaled(axes.normal, dz));
  PlaneGrid grid{};
  for (std::size_t a = 0; a < 3; ++a) {
    grid.start[a] = start[a];
    grid.across[a] = across[a];
    grid.down[a] = down[a];
    grid.next[a] = next[a];
  }
  return grid;
}

std::array<float, 3> to_voxels(const Geometry& volume, const Vector3& displacement_mm) {
  const Vector3 v = to_voxel_axes(volume, displacement_mm);
  return {static_cast<float>(v[0] / volume.spacing_mm[0]), static_cast<float>(v[1] / volume.spacing_mm[1]),
          static_cast<float>(v[2] / volume.spacing_mm[2])};
}

}  // namespace isocenter::detail
