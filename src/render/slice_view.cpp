#include "render/slice_view.hpp"

#include <algorithm>
#include <cmath>
#include <isocenter/render/slice_view.hpp>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "render/label_table.hpp"
#include "render/patient_planes.hpp"
#include "render/render_input.hpp"

namespace isocenter::detail {

class SliceViewOperator : public OperatorBase<SliceView> {
 public:
  void plan(PlanContext& plan) override {
    shape_ = render_shape(plan.input("input"), "input", "voxels", DType::float32);
    labels_ = plan.has_input("segmentation") && params.label_opacity > 0;
    if (labels_) {
      label_shape_ = render_shape(plan.input("segmentation"), "segmentation", "labels", DType::uint8);
      check_same_grid(shape_, label_shape_);
      kernel_.label_table = upload_labels(plan);
    }
    const PlaneAxes axes = anatomical_axes(static_cast<int>(params.plane));
    const Range rows = extent_along(shape_, axes.row), columns = extent_along(shape_, axes.column);
    const double pixel = params.pixel_mm > 0
                             ? params.pixel_mm
                             : std::min(spacing_along(shape_, axes.row), spacing_along(shape_, axes.column));
    const Planes planes = planes_along(axes.normal);
    kernel_.width = pixels_over(rows, pixel);
    kernel_.height = pixels_over(columns, pixel);
    planes_ = planes.count;
    Vector3 origin{};
    for (std::size_t a = 0; a < 3; ++a)
      origin[a] = rows.low * axes.row[a] + columns.low * axes.column[a] + planes.first * axes.normal[a];
    kernel_.grid = plane_grid(shape_.geometry, axes, origin, pixel, pixel, planes.step);
    kernel_.volume = {nullptr, shape_.nx, shape_.ny, shape_.nz};
    kernel_.nearest = params.interpolation == Interpolation::nearest;
    kernel_.window = grey_window(params.window_centre, params.window_width);
    kernel_.frames_apart = shape_.nt;
    describe_frames(plan.output("output"), plan.input("input"), static_cast<std::int64_t>(planes_) * shape_.nt,
                    kernel_.height, kernel_.width, params.frames_per_second);
    plan.require_kernel<SliceViewKernel>();
  }

  void run(const RunContext& run) override {
    const Launcher launcher = launcher_of(run);
    const auto* voxels = run.input("input").tensor("voxels").as<const float>();
    const auto* labels = labels_ ? run.input("segmentation").tensor("labels").as<const std::uint8_t>() : nullptr;
    auto* pixels = run.output("output").tensor("pixels").as<std::uint8_t>();
    for (int moment = 0; moment < shape_.nt; ++moment) {
      run.check_cancelled();
      SliceViewKernel kernel = kernel_;
      kernel.volume.voxels = voxels + moment * shape_.frame_voxels();
      kernel.labels = labels == nullptr || label_shape_.nt == 1 ? labels : labels + moment * shape_.frame_voxels();
      kernel.pixels = pixels + static_cast<std::int64_t>(moment) * kernel.width * kernel.height * 3;
      launch(launcher, kernel, kernel.width, kernel.height, planes_);
    }
  }

 private:
  /// The planes that are shown, by their coordinate along the normal.
  struct Planes {
    int count;
    double first, step;
  };
  Planes planes_along(const Vector3& normal) const {
    const Range range = extent_along(shape_, normal);
    const double step = spacing_along(shape_, normal);
    const int all = points_over(range, step);
    // Frames go with the patient's axis; the normal of a sagittal plane points to the right, against it.
    const double sign = normal[0] + normal[1] + normal[2];
    const double first = sign > 0 ? range.low : range.high;
    if (params.show == ShownSlices::all) return {all, first, sign * step};
    if (params.show == ShownSlices::middle) return {1, first + sign * step * (all / 2), step};
    const double position = sign * params.position_mm;
    if (position < range.low - 0.5 * step || position > range.high + 0.5 * step)
      throw Failure(ErrorCode::invalid_argument,
                    "position_mm = " + number(params.position_mm) + " is outside of the volume, which reaches from " +
                        number(std::min(sign * range.low, sign * range.high)) + " to " +
                        number(std::max(sign * range.low, sign * range.high)) + " mm",
                    "choose a position inside, or show: middle");
    return {1, position, step};
  }
  static std::string number(double v) { return to_parameter_text(static_cast<float>(v)); }

  static int pixels_over(const Range& range, double pixel) {
    const int count = points_over(range, pixel);
    if (count > 16384)
      throw Failure(ErrorCode::invalid_argument,
                    "pixel_mm = " + number(pixel) + " makes " + std::to_string(count) +
                        " pixels on a side, and at most 16384 are allowed",
                    "use a larger pixel_mm");
    return count;
  }

  const float* upload_labels(PlanContext& plan) const {
    const auto colours = label_colours(plan.input("segmentation"));
    const auto hidden = hidden_labels(params.hidden_labels);
    std::vector<float> table(256 * 4);
    for (std::size_t label = 1; label < 256; ++label) {
      for (std::size_t c = 0; c < 3; ++c) table[label * 4 + c] = static_cast<float>(colours[label][c]);
      table[label * 4 + 3] = hidden[label] ? 0.0F : static_cast<float>(params.label_opacity);
    }
    return plan.upload<float>(table, "label colours");
  }

  GridShape shape_, label_shape_;
  bool labels_ = false;
  int planes_ = 1;
  SliceViewKernel kernel_{};
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(slice_view, SliceViewOperator)
