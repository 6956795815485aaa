#include <algorithm>
#include <cmath>
#include <isocenter/render/volume_render.hpp>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "render/brick_memory.hpp"
#include "render/camera_path.hpp"
#include "render/label_table.hpp"
#include "render/render_input.hpp"
#include "render/transfer_presets.hpp"
#include "render/tuned_frames.hpp"

namespace isocenter::detail {

class VolumeRenderOperator : public OperatorBase<VolumeRender> {
 public:
  void plan(PlanContext& plan) override {
    shape_ = render_shape(plan.input("input"), "input", "voxels", DType::float32);
    labels_ = plan.has_input("segmentation") && params.label_opacity > 0;
    if (labels_) {
      label_shape_ = render_shape(plan.input("segmentation"), "segmentation", "labels", DType::uint8);
      check_same_grid(shape_, label_shape_);
      kernel_.label_table = upload_labels(plan);
    }
    const View view = view_of(params);
    shots_ = orbit(view, shape_);
    plan.declare_host_memory(shots_.size() * sizeof(Shot));
    set_kernel(view);
    const std::vector<float> entries = transfer_entries(transfer_, kernel_.transfer);
    kernel_.transfer.table = plan.upload<float>(entries, "transfer function");
    describe_frames(plan.output("output"), plan.input("input"), view.frames, view.height, view.width,
                    params.frames_per_second);

    use_bricks_ = !plan.launcher().reference_only;
    if (use_bricks_) plan.scratch(4 * brick_array_bytes(shape_));
    plan.require_kernel<VolumeRenderKernel>();
    plan.require_kernel<BrickRangeKernel>();
    plan.require_kernel<BrickContentKernel>();
    plan.require_kernel<BrickDistanceKernel>();
  }

  void run(const RunContext& run) override {
    const Launcher launcher = launcher_of(run);
    const auto* voxels = run.input("input").tensor("voxels").as<const float>();
    const std::uint8_t* labels =
        labels_ ? run.input("segmentation").tensor("labels").as<const std::uint8_t>() : nullptr;
    auto* pixels = run.output("output").tensor("pixels").as<std::uint8_t>();
    if (use_bricks_) find_empty_space(launcher, voxels, labels, run.scratch<float>());

    VolumeRenderKernel kernel = kernel_;
    const int frames = static_cast<int>(params.frames);
    for (int frame = 0; frame < frames; ++frame) {
      run.check_cancelled();
      const int moment = time_frame(frame, frames, params.time_cycles, shape_.nt);
      const Shot& shot = shots_[static_cast<std::size_t>(frame)];
      kernel.volume.voxels = voxels + moment * shape_.frame_voxels();
      kernel.labels = labels_at(labels, moment);
      if (use_bricks_) kernel.bricks.distance = distance_ + moment * bricks_of(shape_);
      kernel.camera = shot.camera;
      std::copy(shot.light.begin(), shot.light.end(), kernel.shading.light);
      kernel.pixels = pixels + static_cast<std::int64_t>(frame) * kernel.width * kernel.height * 3;
      launch_frame(launcher, kernel);
      run.progress(static_cast<double>(frame + 1) / frames);
    }
  }

 private:
  void set_kernel(const View& view) {
    TransferStyle style = preset_style(params.preset);
    if (!params.transfer_points.empty()) {
      style = TransferStyle{};
      style.points = points_of(params.transfer_points);
      style.boundary = params.surface_gradient;
      // A surface is where a fiftieth of the points' range is passed within 1 mm.
      style.flat_gradient = static_cast<float>(0.02 * (style.points.back().value - style.points.front().value));
    }
    const double* spacing = shape_.geometry.spacing_mm;
    kernel_.volume = {nullptr, shape_.nx, shape_.ny, shape_.nz};
    transfer_ = transfer_function(style.points, params.opacity_scale);
    kernel_.bricks = empty_brick_grid(shape_);
    kernel_.shading = {style.ambient, style.diffuse, style.specular, style.shininess, style.flat_gradient, {0, 0, 1}};
    if (!params.shading) kernel_.shading = {1, 0, 0, 1, 0, {0, 0, 1}};
    for (int a = 0; a < 3; ++a) kernel_.inverse_spacing[a] = static_cast<float>(1.0 / spacing[a]);
    kernel_.step = static_cast<float>(*std::min_element(spacing, spacing + 3) / params.samples_per_voxel);
    kernel_.stop = 1.0F / 1024.0F;
    kernel_.boundary_gain = style.boundary > 0 ? static_cast<float>(1.0 / style.boundary) : 0.0F;
    if (params.background.size() != 3 && params.background.size() != 6)
      throw Failure(ErrorCode::invalid_argument,
                    "background has " + std::to_string(params.background.size()) +
                        " numbers, and red, green, blue, or six numbers are needed",
                    "write 0, 0, 0 for black");
    for (std::size_t c = 0; c < 3; ++c) {
      kernel_.background_top[c] = static_cast<float>(srgb_decode(params.background[c]));
      kernel_.background_bottom[c] =
          static_cast<float>(srgb_decode(params.background[params.background.size() - 3 + c]));
    }
    kernel_.width = view.width;
    kernel_.height = view.height;
  }

  const float* upload_labels(PlanContext& plan) const {
    const auto colours = label_colours(plan.input("segmentation"));
    const auto hidden = hidden_labels(params.hidden_labels);
    std::vector<float> table(256 * 4);
    for (std::size_t label = 1; label < 256; ++label) {
      for (std::size_t c = 0; c < 3; ++c) table[label * 4 + c] = static_cast<float>(srgb_decode(colours[label][c]));
      table[label * 4 + 3] = hidden[label] ? 0.0F : static_cast<float>(extinction_of(params.label_opacity));
    }
    return plan.upload<float>(table, "label colours");
  }

  const std::uint8_t* labels_at(const std::uint8_t* labels, int moment) const {
    return labels == nullptr || label_shape_.nt == 1 ? labels : labels + moment * shape_.frame_voxels();
  }

  /// Distances of the bricks of all time frames. Scratch: four arrays of one number a brick.
  void find_empty_space(const Launcher& launcher, const float* voxels, const std::uint8_t* labels, float* scratch) {
    float* low = scratch;
    float* high = low + brick_array_floats(shape_);
    float* content = high + brick_array_floats(shape_);
    float* distance = content + brick_array_floats(shape_);
    find_brick_ranges(launcher, shape_, voxels, low, high);
    const float slack = kernel_.transfer.per_value > 0 ? 1.0F / kernel_.transfer.per_value : 0.0F;
    const bool still_labels = labels_ && label_shape_.nt < shape_.nt;
    launch_over_bricks(launcher, shape_,
                       BrickContentKernel{low, high, labels, kernel_.label_table, content, shape_.nx, shape_.ny,
                                          shape_.nz, still_labels, transfer_, slack});
    find_brick_distances(launcher, shape_, content, distance);
    distance_ = distance;
  }

  GridShape shape_, label_shape_;
  bool labels_ = false, use_bricks_ = true;
  VolumeRenderKernel kernel_{};
  TransferFunction transfer_{};
  const float* distance_ = nullptr;
  std::vector<Shot> shots_;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(volume_render, VolumeRenderOperator)
