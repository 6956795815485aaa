#pragma once
// Forward projection and its exact adjoint between a volume and projections in the projector's own order, and the way
// there from the order of payloads. Made while planning; running it allocates nothing.
#include <isocenter/operator.hpp>

#include "core/launch.hpp"
#include "recon/projector_copy.hpp"
#include "recon/projector_plan.hpp"

namespace isocenter::detail {

/// Turns of a value on its way: to = scale * from + shift.
struct ValueMap {
  float scale = 1.0F, shift = 0.0F;
};

class Projector {
 public:
  /// Of so many views at a time a projection of all is made, to see between them whether the session was cancelled.
  static constexpr int views_between_looks = 32;

  explicit Projector(ProjectorPlan plan) : plan_(std::move(plan)) {}

  const ProjectorPlan& plan() const { return plan_; }
  /// Floats of a volume, and of `views` projections, in the projector's order.
  std::int64_t volume_floats() const { return plan_.volume.floats; }
  std::int64_t view_floats(std::int64_t views) const { return views * plan_.stack.view_stride(); }
  std::uint64_t scratch_bytes(const Launcher& launcher) const;

  /// Tables in the device's memory; `lines` as in the plan.
  void use(const JosephLine* lines) { lines_ = lines; }
  const JosephLine* lines() const { return lines_; }
  void upload(PlanContext& plan) { use(plan.upload(std::span(std::as_const(plan_.lines)), "lines of rays")); }
  static void require_kernels(const PlanContext& plan);

  /// out = A volume for the views order[0 .. count), one after the other. Line integrals: [value] mm.
  void forward(const Launcher& launcher, const float* volume, const std::int32_t* order, int count, float* out,
               void* scratch) const;
  /// volume = A' in; with `goes_on` that is added to what it holds. Same bits for every number of threads.
  void back(const Launcher& launcher, const float* in, const std::int32_t* order, int count, float* volume,
            void* scratch, bool goes_on = false) const;

  /// A payload's voxels (zyx, dense), or its projections (nvu, dense), into the projector's order, and back.
  void take_volume(const Launcher& launcher, const float* zyx, float* volume, ValueMap map = {}) const;
  void give_volume(const Launcher& launcher, const float* volume, float* zyx, ValueMap map = {}) const;
  void take_views(const Launcher& launcher, const float* nvu, float* views, int count) const;
  void give_views(const Launcher& launcher, const float* views, float* nvu, int count) const;
  /// `value` in every voxel, and at every ray of `count` views; the zeros between rows stay zeros.
  void fill_volume(const Launcher& launcher, float* volume, float value) const;
  void fill_views(const Launcher& launcher, float* views, int count, float value) const;

 private:
  JosephScan scan(const std::int32_t* order, int count) const;

  ProjectorPlan plan_;
  const JosephLine* lines_ = nullptr;
};

}  // namespace isocenter::detail
