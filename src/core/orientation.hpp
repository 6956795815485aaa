#pragma once
// Which of a volume's voxel axes, in which sense, stands for each axis that something else is used to.
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string>

#include "core/volume_input.hpp"
#include "core/voxel_steps.hpp"

namespace isocenter::detail {

/// Axis k of the wanted grid is axis[k] of the volume, backwards where flipped[k].
struct Orientation {
  std::array<int, 3> axis{0, 1, 2};
  std::array<bool, 3> flipped{false, false, false};
  double angle_deg = 0;  ///< the largest angle between a wanted direction and the voxel axis that stands for it

  bool as_it_comes() const { return axis == std::array<int, 3>{0, 1, 2} && !flipped[0] && !flipped[1] && !flipped[2]; }
};

/// The patient axis (0, 1, 2) of a letter and its sense there; 3 for a letter that names none.
struct PatientDirection {
  std::size_t axis;
  double sense;
};

inline PatientDirection direction_of(char letter) {
  constexpr char positive[] = "LPS", negative[] = "RAI";
  for (std::size_t i = 0; i < 3; ++i) {
    if (letter == positive[i]) return {i, 1};
    if (letter == negative[i]) return {i, -1};
  }
  return {3, 0};
}

/// True for "LPS" and its like: one of L R, one of P A, one of S I (DICOM PS3.3 C.7.6.2.1.1: patient coordinates grow
/// to the left, the back and the head), in any order.
inline bool are_axes(const std::string& letters) {
  std::array<int, 4> named{};
  for (const char c : letters) ++named[direction_of(c).axis];
  return letters.size() == 3 && named[0] == 1 && named[1] == 1 && named[2] == 1;
}

/// The assignment of voxel axes to `letters` with the largest sum of direction cosines.
inline Orientation orient(const Geometry& geometry, const std::string& letters) {
  const auto cosine = [&](std::size_t k, int voxel_axis) {
    const PatientDirection d = direction_of(letters[k]);
    return d.sense * geometry.axis(voxel_axis)[d.axis];
  };
  std::array<int, 3> order{0, 1, 2};
  Orientation best;
  double largest = -1;
  do {
    double sum = 0;
    for (std::size_t k = 0; k < 3; ++k) sum += std::fabs(cosine(k, order[k]));
    if (sum <= largest + 1e-9) continue;  // the first, nearest to the volume's own order, where two are equal
    largest = sum;
    best.axis = order;
  } while (std::next_permutation(order.begin(), order.end()));
  for (std::size_t k = 0; k < 3; ++k) {
    const double c = cosine(k, best.axis[k]);
    best.flipped[k] = c < 0;
    best.angle_deg = std::fmax(best.angle_deg, std::acos(std::fmin(1.0, std::fabs(c))) * 180 / std::numbers::pi);
  }
  return best;
}

/// The directions that voxel axes x, y, z are nearest to, as letters: "LPS" for an axial series, "LIP" for a coronal.
inline std::string nearest_axes(const Geometry& geometry) {
  const Orientation o = orient(geometry, "LPS");
  std::string letters(3, ' ');
  for (std::size_t k = 0; k < 3; ++k) letters[static_cast<std::size_t>(o.axis[k])] = (o.flipped[k] ? "RAI" : "LPS")[k];
  return letters;
}

/// The shape and geometry of the volume with its axes in the wanted order; voxels stay where they are in the patient.
inline GridShape oriented(const GridShape& shape, const Orientation& orientation) {
  const std::array<int, 3> size{shape.nx, shape.ny, shape.nz};
  GridShape out = shape;
  std::array<double, 3> first{};  // the voxel of the volume that comes first
  for (std::size_t k = 0; k < 3; ++k) {
    const int from = orientation.axis[k];
    const double sense = orientation.flipped[k] ? -1 : 1;
    out.geometry.spacing_mm[k] = shape.geometry.spacing_mm[from];
    for (std::size_t r = 0; r < 3; ++r)
      out.geometry.direction[3 * r + k] = sense * shape.geometry.direction[3 * r + static_cast<std::size_t>(from)];
    if (orientation.flipped[k]) first[static_cast<std::size_t>(from)] = size[static_cast<std::size_t>(from)] - 1;
  }
  out.nx = size[static_cast<std::size_t>(orientation.axis[0])];
  out.ny = size[static_cast<std::size_t>(orientation.axis[1])];
  out.nz = size[static_cast<std::size_t>(orientation.axis[2])];
  const auto origin = shape.geometry.position_mm(first[0], first[1], first[2]);
  for (std::size_t r = 0; r < 3; ++r) out.geometry.origin_mm[r] = origin[r];
  return out;
}

/// Where the voxels of the oriented grid lie in the volume's memory.
inline VoxelSteps voxel_steps(const GridShape& shape, const Orientation& orientation) {
  const std::array<std::int64_t, 3> size{shape.nx, shape.ny, shape.nz};
  const std::array<std::int64_t, 3> stride{1, size[0], size[0] * size[1]};
  VoxelSteps steps{};
  std::array<std::int64_t*, 3> along{&steps.x, &steps.y, &steps.z};
  for (std::size_t k = 0; k < 3; ++k) {
    const auto from = static_cast<std::size_t>(orientation.axis[k]);
    *along[k] = orientation.flipped[k] ? -stride[from] : stride[from];
    if (orientation.flipped[k]) steps.first += (size[from] - 1) * stride[from];
  }
  return steps;
}

}  // namespace isocenter::detail
