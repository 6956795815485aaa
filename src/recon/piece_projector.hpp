#pragma once
// A volume projected along a scan's rays once, or projections back into it: whole where the memory holds a copy of both
// in the projector's order; else in slabs along z and groups of views; and on a device that does not hold the dense
// ones either, from and to host memory (host_projector.hpp).
#include <optional>

#include "recon/host_projector.hpp"
#include "recon/memory_need.hpp"
#include "recon/slab_projector.hpp"
#include "recon/voxel_driven.hpp"

namespace isocenter::detail {

class PieceProjector {
 public:
  struct Setup {
    const char* method;   ///< for messages
    const char* input;    ///< the port that is projected
    bool forward = true;  ///< from a volume to projections
    bool voxel_driven = false;
  };
  /// Chooses the way, keeps ports on the host where it is needed, uploads the tables and states memory and facts.
  void plan(PlanContext& plan, const Setup& setup, const ProjectorRequest& request);

  /// Volumes zyx and projections nvu, dense; on the host where the ports were kept there.
  void forward(const RunContext& run, const float* voxels, ValueMap map, float* readings);
  void back(const RunContext& run, const float* readings, float* voxels);

 private:
  void require_kernels(const PlanContext& plan) const;
  void choose_memory(PlanContext& plan);
  bool fits_in_slabs(PlanContext& plan);
  bool fits(const MemoryLeft& left, const Launcher& launcher, std::int64_t slabs, int views);
  MemoryNeed need_of(const Launcher& launcher) const;
  std::uint64_t work_bytes(const Launcher& launcher) const;
  std::uint64_t stack_bytes() const {
    return static_cast<std::uint64_t>(projector_->view_floats(chunk_)) * sizeof(float);
  }
  void begin(const RunContext& run);
  void back_chunk(int first, int count, int slab, float* slices) const;
  std::int64_t slice() const { return static_cast<std::int64_t>(n_[0]) * n_[1]; }
  std::int64_t view_elements() const {
    return static_cast<std::int64_t>(projector_->plan().rows) * projector_->plan().columns;
  }
  void say_progress(double done) const {
    run_->check_cancelled();
    run_->progress(done);
  }

  Setup setup_{};
  std::optional<Projector> projector_;
  std::optional<SlabProjector> slabs_;
  std::optional<HostProjector> host_;
  std::optional<VoxelDriven> voxel_driven_;
  const std::int32_t* order_ = nullptr;
  int n_[3] = {1, 1, 1}, views_ = 0;
  int chunk_ = 1;              ///< views that are turned into the projector's order at once
  bool on_host_ = false;       ///< projections, and volumes where they come from there
  bool volume_stays_ = false;  ///< on the device, where a node before this one has left it

  const RunContext* run_ = nullptr;
  Launcher launcher_{}, stack_launcher_{};  ///< of the projector, and of what lies in the projector's order
  float* stack_ = nullptr;                  ///< `chunk_` views
  float* volume_ = nullptr;                 ///< in the projector's order, where that takes it whole
  void* work_ = nullptr;
};

}  // namespace isocenter::detail
