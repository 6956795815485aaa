#include "render/maximum_intensity_projection.hpp"

#include <algorithm>
#include <isocenter/render/maximum_intensity_projection.hpp>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "render/brick_memory.hpp"
#include "render/camera_path.hpp"
#include "render/render_input.hpp"
#include "render/tuned_frames.hpp"

namespace isocenter::detail {

class MaximumIntensityProjectionOperator : public OperatorBase<MaximumIntensityProjection> {
 public:
  void plan(PlanContext& plan) override {
    shape_ = render_shape(plan.input("input"), "input", "voxels", DType::float32);
    const View view = view_of(params);
    shots_ = orbit(view, shape_);
    plan.declare_host_memory(shots_.size() * sizeof(Shot));
    describe_frames(plan.output("output"), plan.input("input"), view.frames, view.height, view.width,
                    params.frames_per_second);

    const double* spacing = shape_.geometry.spacing_mm;
    kernel_.volume = {nullptr, shape_.nx, shape_.ny, shape_.nz};
    kernel_.bound = empty_brick_grid(shape_);
    for (int a = 0; a < 3; ++a) kernel_.inverse_spacing[a] = static_cast<float>(1.0 / spacing[a]);
    kernel_.step = static_cast<float>(*std::min_element(spacing, spacing + 3) / params.samples_per_voxel);
    kernel_.mode = static_cast<ProjectionMode>(params.projection);
    kernel_.window = grey_window(params.window_centre, params.window_width);
    kernel_.width = view.width;
    kernel_.height = view.height;

    use_bricks_ = !plan.launcher().reference_only && kernel_.mode != ProjectionMode::mean;
    if (use_bricks_) plan.scratch(2 * brick_array_bytes(shape_));
    plan.require_kernel<IntensityProjectionKernel>();
    plan.require_kernel<BrickRangeKernel>();
  }

  void run(const RunContext& run) override {
    const Launcher launcher = launcher_of(run);
    const auto* voxels = run.input("input").tensor("voxels").as<const float>();
    auto* pixels = run.output("output").tensor("pixels").as<std::uint8_t>();
    float* low = run.scratch<float>();
    float* high = low + brick_array_floats(shape_);
    if (use_bricks_) find_brick_ranges(launcher, shape_, voxels, low, high);
    const float* bound = kernel_.mode == ProjectionMode::minimum ? low : high;

    IntensityProjectionKernel kernel = kernel_;
    const int frames = static_cast<int>(params.frames);
    for (int frame = 0; frame < frames; ++frame) {
      run.check_cancelled();
      const int moment = time_frame(frame, frames, params.time_cycles, shape_.nt);
      kernel.volume.voxels = voxels + moment * shape_.frame_voxels();
      if (use_bricks_) kernel.bound.distance = bound + moment * bricks_of(shape_);
      kernel.camera = shots_[static_cast<std::size_t>(frame)].camera;
      kernel.pixels = pixels + static_cast<std::int64_t>(frame) * kernel.width * kernel.height * 3;
      launch_frame(launcher, kernel);
      run.progress(static_cast<double>(frame + 1) / frames);
    }
  }

 private:
  GridShape shape_;
  bool use_bricks_ = true;
  IntensityProjectionKernel kernel_{};
  std::vector<Shot> shots_;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(maximum_intensity_projection, MaximumIntensityProjectionOperator)
