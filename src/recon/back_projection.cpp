#include <isocenter/recon/back_projection.hpp>

#include "core/builtin.hpp"
#include "recon/piece_projector.hpp"
#include "recon/reconstruction_grid.hpp"

namespace isocenter::detail {

class BackProjectionOperator : public OperatorBase<BackProjection> {
 public:
  void plan(PlanContext& plan) override {
    const PayloadRef input = plan.input("input");
    const Acquisition scan = check_acquisition(
        plan, "input", {.least_views = 1, .method = "back_projection", .any_unit = true, .any_arc = true});
    const VolumeGrid grid = grid_for(scan, params);
    for (const AcquisitionWarning& w : check_volume(scan, grid)) plan.warn(w.what, w.fix);
    projector_.plan(plan, {"back_projection", "input", false, params.back_projector == BackProjector::voxel_driven},
                    projector_request(scan, grid));
    const std::span<const double> numbers = input.numbers("acquisition.views");
    planned_views_.assign(numbers.begin(), numbers.end());
    PayloadRef output = plan.output("output");
    output.set_tensor("voxels", tensor(DType::float32, "zyx", {grid.nz, grid.ny, grid.nx}));
    output.set_geometry(grid.geometry);
    output.set_text("unit", "mm");
  }

  void run(const RunContext& run) override {
    require_planned_views(run.input("input"), planned_views_);
    projector_.back(run, run.input("input").tensor("views").as<const float>(),
                    run.output("output").tensor("voxels").as<float>());
  }

 private:
  PieceProjector projector_;
  std::vector<double> planned_views_;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(back_projection, BackProjectionOperator)
