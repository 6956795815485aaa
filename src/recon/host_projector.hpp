#pragma once
// A projector on a device of a volume and projections that lie in host memory: one slab of the volume and three groups
// of views are on the device at a time. While a group is worked on, the next one comes and the last one goes on the
// stream beside.
#include "recon/slab_projector.hpp"
#include "recon/voxel_driven.hpp"

namespace isocenter::detail {

class HostProjector {
 public:
  /// Both must outlive it; `voxel_driven` (may be null) is cut as the slabs are.
  HostProjector(const SlabProjector& slabs, const VoxelDriven* voxel_driven, std::int64_t slice_floats)
      : slabs_(&slabs), voxel_driven_(voxel_driven), slice_(slice_floats) {}

  /// Memory of the device for all of it, the slabs' own work included.
  std::uint64_t work_bytes(const Launcher& launcher) const;
  /// Before a run: `lines` and `work` as in SlabProjector::use, on the device.
  void use(const RunContext& run, const Launcher& launcher, SlabProjector* slabs, const JosephLine* lines, void* work);

  /// Whether a cancelled run's projections are left, as in SlabProjector.
  void may_stop(bool may) { may_stop_ = may; }

  // As those of SlabProjector, with volumes and projections in host memory, and `order` on the device. They return when
  // the host may read what they give, and are never more than two groups ahead of the device.
  void forward(const float* volume, const std::int32_t* order, int count, float* out) const;
  /// Without `in`: of ones.
  void back(const ProjectorPlan& plan, const float* in, const std::int32_t* order, std::int64_t first, int count,
            int slab, float* slices, bool goes_on) const;

 private:
  bool stops() const { return may_stop_ && run_->cancelled(); }
  void wait() const;
  float* buffer(int group) const { return buffers_ + group % 2 * slabs_->view_floats(slabs_->views()); }
  std::uint64_t bytes_of(int views) const {
    return static_cast<std::uint64_t>(slabs_->view_floats(views)) * sizeof(float);
  }
  std::uint64_t slab_bytes(int slab) const {
    return static_cast<std::uint64_t>(slabs_->height_of(slab) * slice_) * sizeof(float);
  }

  const SlabProjector* slabs_;
  const VoxelDriven* voxel_driven_;
  std::int64_t slice_;
  const RunContext* run_ = nullptr;
  Launcher launcher_{};
  float *dense_ = nullptr, *buffers_ = nullptr;
  void* voxel_driven_work_ = nullptr;
  bool may_stop_ = true;
};

}  // namespace isocenter::detail
