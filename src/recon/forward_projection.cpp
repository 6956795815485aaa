#include <cstring>
#include <isocenter/recon/forward_projection.hpp>

#include "core/builtin.hpp"
#include "core/volume_input.hpp"
#include "recon/piece_projector.hpp"
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
    const Acquisition scan = check_acquisition(
        plan, "geometry", {.least_views = 1, .method = "forward_projection", .any_unit = true, .any_arc = true}, &grid);
    const std::string unit = input.text("unit");
    map_ = to_attenuation(unit, unit == "HU" ? water_attenuation(params.mu_water_per_mm, geometry) : 0.0);
    // Of this port only the attributes are read.
    if (std::strcmp(geometry.device(), plan.device().name) != 0) plan.keep_on_host("geometry");
    projector_.plan(plan, {"forward_projection", "input", true, false}, projector_request(scan, grid));
    const std::span<const double> numbers = geometry.numbers("acquisition.views");
    planned_views_.assign(numbers.begin(), numbers.end());
    PayloadRef output = plan.output("output");
    output.set_text("unit", "1");
    output.like(geometry, "views");
  }

  void run(const RunContext& run) override {
    require_planned_views(run.input("geometry"), planned_views_);
    projector_.forward(run, run.input("input").tensor("voxels").as<const float>(), map_,
                       run.output("output").tensor("views").as<float>());
  }

 private:
  PieceProjector projector_;
  ValueMap map_;
  std::vector<double> planned_views_;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(forward_projection, ForwardProjectionOperator)
