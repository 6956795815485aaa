#include <isocenter/phantom/phantom_volume.hpp>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "phantom/chosen_phantom.hpp"
#include "phantom/raw_data.hpp"

namespace isocenter::detail {

namespace {

/// sRGB of label i, for pictures.
constexpr double label_colours[] = {0,    0,    0,    0.85, 0.65, 0.55, 0.45, 0.65, 0.90, 0.80, 0.15, 0.15,
                                    0.95, 0.93, 0.85, 1.00, 0.85, 0.10, 0.60, 0.30, 0.20, 0.20, 0.80, 0.80};
static_assert(sizeof label_colours / sizeof *label_colours == 3 * label_names.size());

std::string joined_label_names() {
  std::string text;
  for (const char* name : label_names) text += (text.empty() ? "" : "\\") + std::string(name);
  return text;
}

}  // namespace

class PhantomVolumeOperator : public OperatorBase<PhantomVolume> {
 public:
  void plan(PlanContext& plan) override {
    if (params.spacing_mm.size() != 1 && params.spacing_mm.size() != 3)
      throw Failure(
          ErrorCode::invalid_argument,
          "spacing_mm has " + std::to_string(params.spacing_mm.size()) + " numbers, and one or three are needed",
          "give one number for cubes, or x, y, z");
    if (params.centre_mm.size() != 3)
      throw Failure(ErrorCode::invalid_argument,
                    "centre_mm has " + std::to_string(params.centre_mm.size()) + " numbers, and three are needed",
                    "give x, y, z");
    grid_.nx = params.nx;
    grid_.ny = params.ny;
    grid_.nz = params.nz;
    const auto& s = params.spacing_mm;
    grid_.geometry = Geometry::centred(params.nx, params.ny, params.nz, {s[0], s[s.size() / 2], s[s.size() - 1]});
    for (std::size_t k = 0; k < 3; ++k) grid_.geometry.origin_mm[k] += params.centre_mm[k];
    grid_.geometry.time_origin_s = params.time_s;
    if (params.frames > 1) grid_.geometry.time_step_s = params.breathing_period_s / static_cast<double>(params.frames);

    constexpr const char* unit_texts[] = {"HU", "1/mm", "1"};
    describe(plan.output("output"), "voxels", DType::float32);
    plan.output("output").set_text("unit", unit_texts[static_cast<int>(params.unit)]);
    describe(plan.output("labels"), "labels", DType::uint8);
    plan.output("labels").set_text("labels.names", joined_label_names());
    plan.output("labels").set_numbers("labels.colours", label_colours);
    with_voxels_ = plan.output_used("output");
    with_labels_ = plan.output_used("labels");
    plan.items(params.count);
    solids_ = reserved_solids();
  }

  void run(const RunContext& run) override {
    if (run.sequence() >= params.count) throw EndOfStream{};
    const Launcher threads = launcher_of(run);
    auto* voxels = with_voxels_ ? run.output("output").tensor("voxels").as<float>() : nullptr;
    auto* labels = with_labels_ ? run.output("labels").tensor("labels").as<std::uint8_t>() : nullptr;
    const double scale = params.unit == PhantomUnit::hu       ? 1000.0
                         : params.unit == PhantomUnit::per_mm ? params.mu_water_per_mm
                                                              : 1.0;
    const double offset = params.unit == PhantomUnit::hu ? -1000.0 : 0.0;
    const std::int64_t frame_voxels = grid_.nx * grid_.ny * grid_.nz;
    for (std::int64_t frame = 0; frame < params.frames; ++frame) {
      run.check_cancelled();
      make_phantom(params, run.sequence(), params.time_s + static_cast<double>(frame) * grid_.geometry.time_step_s,
                   &solids_);
      rasterise(threads, solids_, grid_, static_cast<int>(params.samples), scale, offset,
                voxels == nullptr ? nullptr : voxels + frame * frame_voxels,
                labels == nullptr ? nullptr : labels + frame * frame_voxels);
      run.progress(static_cast<double>(frame + 1) / static_cast<double>(params.frames));
    }
  }

 private:
  void describe(PayloadRef output, const char* name, DType type) const {
    output.set_tensor(name, params.frames > 1 ? tensor(type, "tzyx", {params.frames, grid_.nz, grid_.ny, grid_.nx})
                                              : tensor(type, "zyx", {grid_.nz, grid_.ny, grid_.nx}));
    output.set_geometry(grid_.geometry);
  }

  Grid grid_;
  Solids solids_;
  bool with_voxels_ = true, with_labels_ = false;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(phantom_volume, PhantomVolumeOperator)
