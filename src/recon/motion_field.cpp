#include "recon/motion_field.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "recon/bad_reading.hpp"
#include "recon/reading_check.hpp"

namespace isocenter::detail {

namespace {

std::string text_of(double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%.5g", v);
  return text;
}

/// One component's grid; a node's number fits into 32 bits.
GridShape component_shape(const PayloadRef& field, const char* port) {
  const GridShape s = grid_shape(field, port, "voxels", DType::float32);
  const std::string where = std::string("input '") + port + "'";
  if (!s.has_time)
    throw Failure(ErrorCode::bad_data, where + " has no time axis, and displacements of each phase are needed",
                  "give a volume of the axes tzyx whose frames are the phases of one cycle");
  if (field.text("unit") != "mm")
    throw Failure(ErrorCode::bad_data, where + " has the unit '" + field.text("unit") + "', and mm is needed",
                  "give displacements in mm (image_source: unit: mm)");
  for (int i = 0; i < 9; ++i)
    if (std::fabs(s.geometry.direction[i] - (i % 4 == 0 ? 1.0 : 0.0)) > 1e-4)
      throw Failure(ErrorCode::unsupported, where + " has axes that are not the patient's",
                    "resample the field onto a grid along the patient's axes");
  if (s.frame_voxels() > (std::int64_t{1} << 28))
    throw Failure(ErrorCode::unsupported,
                  where + " has " + std::to_string(s.frame_voxels()) + " nodes, and 268435456 are the most",
                  "give a coarser field");
  return s;
}

bool same_grid(const GridShape& a, const GridShape& b) {
  return a.nx == b.nx && a.ny == b.ny && a.nz == b.nz && a.nt == b.nt &&
         std::equal(a.geometry.origin_mm, a.geometry.origin_mm + 3, b.geometry.origin_mm) &&
         std::equal(a.geometry.spacing_mm, a.geometry.spacing_mm + 3, b.geometry.spacing_mm);
}

}  // namespace

MotionField::MotionField(const PlanContext& plan, const VoxelGrid& volume)
    : shape_(component_shape(plan.input(motion_ports[0]), motion_ports[0])) {
  for (const char* port : {motion_ports[1], motion_ports[2]})
    if (!same_grid(component_shape(plan.input(port), port), shape_))
      throw Failure(ErrorCode::bad_data, std::string("input '") + port + "' has another grid than input 'motion_x'",
                    "give the field's three components on one grid");
  for (std::size_t k = 0; k < 3; ++k) {
    const double voxel = volume.spacing_mm[k], node = shape_.geometry.spacing_mm[k];
    if (!(node > 0.0) || !std::isfinite(node) || !std::isfinite(shape_.geometry.origin_mm[k]))
      throw Failure(ErrorCode::bad_data, "input 'motion_x' has a spacing of " + text_of(node) + " mm",
                    "give the field's grid a positive spacing");
    origin_[k] = (shape_.geometry.origin_mm[k] - volume.origin_mm[k]) / voxel;
    per_voxel_[k] = voxel / node;
  }
}

MotionPart MotionField::part(std::int64_t first_slice, std::int64_t slices) const {
  constexpr double margin = 0.01;  // nodes, for rounding
  const auto first = static_cast<double>(first_slice), last_node = static_cast<double>(shape_.nz - 1);
  const double low = (first - origin_[2]) * per_voxel_[2],
               high = (first + static_cast<double>(slices - 1) - origin_[2]) * per_voxel_[2];
  const auto begin = static_cast<int>(std::clamp(std::floor(low - margin), 0.0, last_node)),
             end = static_cast<int>(std::clamp(std::floor(high + margin) + 1.0, 0.0, last_node)) + 1;
  MotionPart p;
  p.first = begin;
  p.grid = {shape_.nx, shape_.ny, end - begin, {}, {}};
  for (std::size_t k = 0; k < 3; ++k) {
    p.grid.origin[k] = static_cast<float>(origin_[k] + (k == 2 ? begin / per_voxel_[2] - first : 0.0));
    p.grid.per_voxel[k] = static_cast<float>(per_voxel_[k]);
  }
  return p;
}

MotionMoment MotionField::moment(double phase) const {
  const double at = phase * frames(), whole = std::floor(at);
  const int first = static_cast<int>(whole) % frames();
  return {first, (first + 1) % frames(), static_cast<float>(at - whole)};
}

void MotionField::check(const RunContext& run, const Launcher& launcher, const float* const (&components)[3],
                        double most_mm, std::int64_t* note) const {
  const auto limit = static_cast<float>(most_mm);
  for (std::size_t k = 0; k < 3; ++k) {
    std::int64_t bad = no_reading;
    if (note != nullptr) clear_note(run, note);
    launch(launcher, ReadingCheck{components[k], note != nullptr ? note : &bad, shape_.nx, shape_.ny, -limit, limit},
           shape_.nx, shape_.ny, shape_.nz * shape_.nt);
    if (note != nullptr) bad = read_note(run, note);
    if (bad != no_reading) refuse(run, k, components[k], bad, most_mm);
  }
}

void MotionField::refuse(const RunContext& run, std::size_t axis, const float* component, std::int64_t place,
                         double most_mm) const {
  float value = 0.0F;
  run.copy(&value, component + place, sizeof value);
  run.wait();
  const std::int64_t nodes = shape_.frame_voxels(), i = place % nodes;
  throw Failure(ErrorCode::bad_data,
                std::string("input '") + motion_ports[axis] + "' has " + text_of(static_cast<double>(value)) +
                    " mm at node (" + std::to_string(i % shape_.nx) + ", " + std::to_string(i / shape_.nx % shape_.ny) +
                    ", " + std::to_string(i / shape_.nx / shape_.ny) + ") of frame " + std::to_string(place / nodes) +
                    ", and displacements up to " + text_of(most_mm) + " mm are allowed",
                "check the field: displacements in mm, finite everywhere");
}

}  // namespace isocenter::detail
