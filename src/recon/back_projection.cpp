#include <algorithm>
#include <isocenter/recon/back_projection.hpp>
#include <numeric>
#include <optional>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "recon/reconstruction_grid.hpp"
#include "recon/voxel_driven.hpp"

namespace isocenter::detail {

class BackProjectionOperator : public OperatorBase<BackProjection> {
 public:
  void plan(PlanContext& plan) override {
    const PayloadRef input = plan.input("input");
    const Acquisition scan = check_acquisition(plan, "input", {.least_views = 1, .method = "back_projection"});
    const VolumeGrid grid = grid_for(scan, params);
    for (const AcquisitionWarning& w : check_volume(scan, grid)) plan.warn(w.what, w.fix);
    projector_.emplace(plan_projector(projector_request(scan, grid)));
    check_size(projector_->plan());
    if (!plan.on_cpu()) Projector::require_kernels(plan);
    projector_->upload(plan);
    views_ = static_cast<int>(scan.views.size());
    std::vector<std::int32_t> order(scan.views.size());
    std::iota(order.begin(), order.end(), 0);
    order_ = plan.upload(std::span<const std::int32_t>(order), "order of the views");
    voxel_driven_.reset();
    if (params.back_projector == BackProjector::voxel_driven) {
      voxel_driven_.emplace(projector_request(scan, grid), projector_->plan(), order);
      if (!plan.on_cpu()) VoxelDriven::require_kernels(plan);
      voxel_driven_->upload(plan);
    }
    const std::span<const double> numbers = input.numbers("acquisition.views");
    planned_views_.assign(numbers.begin(), numbers.end());
    const Launcher launcher = launcher_of(plan);
    plan.scratch((voxel_driven_ ? voxel_driven_->scratch_bytes(launcher) : projector_->scratch_bytes(launcher)) +
                 static_cast<std::uint64_t>(projector_->volume_floats() + projector_->view_floats(views_)) *
                     sizeof(float));
    PayloadRef output = plan.output("output");
    output.set_tensor("voxels", tensor(DType::float32, "zyx", {grid.nz, grid.ny, grid.nx}));
    output.set_geometry(grid.geometry);
    output.set_text("unit", "mm");
    plan.fact("projector", projector_->plan().aligned ? "detector columns along the volume" : "any orientation");
  }

  void run(const RunContext& run) override {
    const Launcher launcher = launcher_of(run);
    require_planned_views(run.input("input"), planned_views_);
    auto* volume = run.scratch<float>();
    float* views = volume + projector_->volume_floats();
    projector_->take_views(launcher, run.input("input").tensor("views").as<float>(), views, views_);
    run.check_cancelled();
    float* scratch = views + projector_->view_floats(views_);
    if (voxel_driven_)
      voxel_driven_->back(launcher, *projector_, views, 0, views_, volume, scratch);
    else
      back(run, views, volume, scratch);
    projector_->give_volume(launcher, volume, run.output("output").tensor("voxels").as<float>());
  }

 private:
  void back(const RunContext& run, const float* views, float* volume, float* scratch) const {
    for (int first = 0; first < views_; first += Projector::views_between_looks) {
      run.check_cancelled();
      run.progress(static_cast<double>(first) / views_);
      projector_->back(launcher_of(run), views + projector_->view_floats(first), order_ + first,
                       std::min(Projector::views_between_looks, views_ - first), volume, scratch, first > 0);
    }
  }

  std::optional<Projector> projector_;
  std::optional<VoxelDriven> voxel_driven_;
  const std::int32_t* order_ = nullptr;
  int views_ = 0;
  std::vector<double> planned_views_;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(back_projection, BackProjectionOperator)
