#include <algorithm>
#include <isocenter/recon/forward_projection.hpp>
#include <numeric>
#include <optional>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "core/volume_input.hpp"
#include "recon/reconstruction_grid.hpp"

namespace isocenter::detail {

class ForwardProjectionOperator : public OperatorBase<ForwardProjection> {
 public:
  void plan(PlanContext& plan) override {
    const PayloadRef input = plan.input("input"), geometry = plan.input("geometry");
    const GridShape shape = grid_shape(input, "input", "voxels", DType::float32);
    if (shape.has_time)
      throw Failure(ErrorCode::bad_data, "input has a time axis, and one volume is projected", "give one frame");
    const VolumeGrid grid{shape.nx, shape.ny, shape.nz, shape.geometry};
    const Acquisition scan =
        check_acquisition(plan, "geometry", {.least_views = 1, .method = "forward_projection"}, &grid);
    const std::string unit = input.text("unit");
    map_ = to_attenuation(unit, unit == "HU" ? water_attenuation(params.mu_water_per_mm, geometry) : 0.0);
    projector_.emplace(plan_projector(projector_request(scan, grid)));
    check_size(projector_->plan());
    if (!plan.on_cpu()) Projector::require_kernels(plan);
    projector_->upload(plan);
    views_ = static_cast<int>(scan.views.size());
    std::vector<std::int32_t> order(scan.views.size());
    std::iota(order.begin(), order.end(), 0);
    order_ = plan.upload(std::span<const std::int32_t>(order), "order of the views");
    const std::span<const double> numbers = geometry.numbers("acquisition.views");
    planned_views_.assign(numbers.begin(), numbers.end());
    plan.scratch(projector_->scratch_bytes(launcher_of(plan)) +
                 static_cast<std::uint64_t>(projector_->volume_floats() + projector_->view_floats(views_)) *
                     sizeof(float));
    plan.output("output").like(geometry, "views");
    plan.fact("projector", projector_->plan().aligned ? "detector columns along the volume" : "any orientation");
  }

  void run(const RunContext& run) override {
    const Launcher launcher = launcher_of(run);
    require_planned_views(run.input("geometry"), planned_views_);
    auto* volume = run.scratch<float>();
    float* views = volume + projector_->volume_floats();
    projector_->take_volume(launcher, run.input("input").tensor("voxels").as<float>(), volume, map_);
    float* scratch = views + projector_->view_floats(views_);
    for (int first = 0; first < views_; first += Projector::views_between_looks) {
      run.check_cancelled();
      run.progress(static_cast<double>(first) / views_);
      projector_->forward(launcher, volume, order_ + first, std::min(Projector::views_between_looks, views_ - first),
                          views + projector_->view_floats(first), scratch);
    }
    projector_->give_views(launcher, views, run.output("output").tensor("views").as<float>(), views_);
  }

 private:
  std::optional<Projector> projector_;
  ValueMap map_;
  const std::int32_t* order_ = nullptr;
  int views_ = 0;
  std::vector<double> planned_views_;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(forward_projection, ForwardProjectionOperator)
