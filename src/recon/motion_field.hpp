#pragma once
// The displacement field of motion-compensated reconstruction: its grid against the volume's, the part of it that a
// slab of the volume needs, and the values that are refused.
#include <isocenter/operator.hpp>

#include "core/launcher.hpp"
#include "core/volume_input.hpp"
#include "recon/circular_orbit.hpp"
#include "recon/motion_fdk.hpp"

namespace isocenter::detail {

constexpr const char* motion_ports[] = {"motion_x", "motion_y", "motion_z"};

/// The node slices between which a slab of the volume lies; the grid is theirs, against the slab's voxels.
struct MotionPart {
  MotionGrid grid{};
  int first = 0;
};

class MotionField {
 public:
  MotionField() = default;
  /// Of the ports motion_x, motion_y, motion_z. Throws Failure when one is not what is needed, or they differ.
  MotionField(const PlanContext& plan, const VoxelGrid& volume);

  const GridShape& shape() const { return shape_; }
  int frames() const { return shape_.nt; }
  /// A voxel is displaced by what the nodes around it hold, so that a slab needs none beyond its own slices.
  MotionPart part(std::int64_t first_slice, std::int64_t slices) const;
  std::int64_t slice_nodes() const { return static_cast<std::int64_t>(shape_.nx) * shape_.ny; }

  /// Which frames the phase lies between: frame j holds the displacements at phase j / frames.
  MotionMoment moment(double phase) const;

  /// Throws Failure for a displacement that is not finite or beyond `most_mm`: one that reaches the source would divide
  /// by zero. `launcher` is of the memory that the components lie in; `note` is null but for a device's.
  void check(const RunContext& run, const Launcher& launcher, const float* const (&components)[3], double most_mm,
             std::int64_t* note) const;

 private:
  [[noreturn]] void refuse(const RunContext& run, std::size_t axis, const float* component, std::int64_t place,
                           double most_mm) const;

  GridShape shape_;
  double origin_[3] = {}, per_voxel_[3] = {};  ///< as MotionGrid
};

}  // namespace isocenter::detail
