#include <isocenter/volume/match_grid.hpp>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "core/volume_input.hpp"
#include "volume/grid_map.hpp"

namespace isocenter::detail {

class MatchGridOperator : public OperatorBase<MatchGrid> {
 public:
  void plan(PlanContext& plan) override {
    const PayloadRef reference = plan.input("reference");
    const bool labels = reference.kind() == ISOCENTER_SEGMENTATION;
    grid_ = grid_shape(reference, "reference", labels ? "labels" : "voxels", labels ? DType::uint8 : DType::float32);
    check("output", "input", plan);
    check("labels", "segmentation", plan);
    if (!plan.has_input("input") && !plan.has_input("segmentation"))
      throw Failure(ErrorCode::invalid_argument, "neither input 'input' nor input 'segmentation' is connected",
                    "connect what is brought onto the reference's grid");
    if (plan.has_input("input")) {
      volume_.map = plan_source(plan, "input", "voxels", "output", DType::float32, volume_frames_);
      volume_.outside = static_cast<float>(params.outside);
      plan.require_kernel<SampleVolumeKernel>();
    }
    if (plan.has_input("segmentation")) {
      labels_.map = plan_source(plan, "segmentation", "labels", "labels", DType::uint8, label_frames_);
      plan.require_kernel<SampleLabelsKernel>();
    }
    volume_.nx = labels_.nx = grid_.nx;
    volume_.ny = labels_.ny = grid_.ny;
    volume_.nz = labels_.nz = grid_.nz;
  }

  void run(const RunContext& run) override {
    const Launcher launcher = launcher_of(run);
    if (volume_frames_ > 0) {
      volume_.in = run.input("input").tensor("voxels").as<const float>();
      volume_.out = run.output("output").tensor("voxels").as<float>();
      launch(launcher, volume_, grid_.nx, grid_.ny, grid_.nz * volume_frames_);
    }
    if (label_frames_ > 0) {
      labels_.in = run.input("segmentation").tensor("labels").as<const std::uint8_t>();
      labels_.out = run.output("labels").tensor("labels").as<std::uint8_t>();
      launch(launcher, labels_, grid_.nx, grid_.ny, grid_.nz * label_frames_);
    }
  }

 private:
  static void check(const char* output, const char* input, const PlanContext& plan) {
    if (plan.output_used(output) && !plan.has_input(input))
      throw Failure(ErrorCode::invalid_argument,
                    std::string("output '") + output + "' is connected and input '" + input + "' is not",
                    "connect both or none");
  }

  GridMap plan_source(PlanContext& plan, const char* port, const char* name, const char* output, DType type,
                      int& frames) {
    const PayloadRef in = plan.input(port);
    const GridShape source = grid_shape(in, port, name, type);
    frames = source.nt;
    if (static_cast<std::int64_t>(grid_.nz) * frames > INT32_MAX)
      throw Failure(ErrorCode::unsupported,
                    std::string("input '") + port + "' has " + std::to_string(frames) + " frames and the reference " +
                        std::to_string(grid_.nz) + " slices: more than " + std::to_string(INT32_MAX) + " together",
                    "match fewer frames at a time");
    PayloadRef out = plan.output(output);
    out.set_tensor(name, source.has_time ? tensor(type, "tzyx", {source.nt, grid_.nz, grid_.ny, grid_.nx})
                                         : tensor(type, "zyx", {grid_.nz, grid_.ny, grid_.nx}));
    Geometry geometry = grid_.geometry;
    geometry.time_step_s = source.geometry.time_step_s;
    out.set_geometry(geometry);
    out.inherit_attributes(in);
    const GridMap map = between(source, port);
    bool meet = false;
    for (int i = 0; i < 27 && !meet; ++i) {  // corners, middles of edges and faces, and the centre
      double p[3];
      for (int a = 0; a < 3; ++a)
        p[a] = map.at(a, (grid_.nx - 1) * (i % 3) / 2, (grid_.ny - 1) * (i / 3 % 3) / 2, (grid_.nz - 1) * (i / 9) / 2);
      meet = map.inside(p);
    }
    if (!meet)
      plan.warn(std::string("none of the reference's corners and middles lies in input '") + port + "'",
                "look at the result; check that both are of one patient position");
    return map;
  }

  /// Direction cosines are orthonormal: the inverse is the transpose.
  GridMap between(const GridShape& source, const char* port) const {
    GridMap map{};
    const double* to = grid_.geometry.direction;
    const double* from = source.geometry.direction;
    for (int a = 0; a < 3; ++a) {
      const double spacing = source.geometry.spacing_mm[a];
      if (!(spacing > 0))
        throw Failure(ErrorCode::bad_data,
                      std::string("input '") + port + "' has a spacing of " + to_parameter_text(spacing) + " mm",
                      "check where it comes from");
      double* const columns[3] = {map.across, map.down, map.next};
      for (int r = 0; r < 3; ++r) {
        map.start[a] += from[3 * r + a] * (grid_.geometry.origin_mm[r] - source.geometry.origin_mm[r]) / spacing;
        for (int c = 0; c < 3; ++c)
          columns[c][a] += from[3 * r + a] * to[3 * r + c] * grid_.geometry.spacing_mm[c] / spacing;
      }
    }
    map.extent[0] = source.nx;
    map.extent[1] = source.ny;
    map.extent[2] = source.nz;
    return map;
  }

  GridShape grid_;
  SampleVolumeKernel volume_{};
  SampleLabelsKernel labels_{};
  int volume_frames_ = 0, label_frames_ = 0;  ///< 0: not connected
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(match_grid, MatchGridOperator)
