#include <algorithm>
#include <cmath>
#include <isocenter/render/slice_interpolation.hpp>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "render/render_input.hpp"
#include "render/slice_match_tuned.hpp"

namespace isocenter::detail {

class SliceInterpolationOperator : public OperatorBase<SliceInterpolation> {
 public:
  void plan(PlanContext& plan) override {
    shape_ = render_shape(plan.input("input"), "input", "voxels", DType::float32);
    labels_ = plan.has_input("segmentation");
    if (labels_) {
      label_shape_ = render_shape(plan.input("segmentation"), "segmentation", "labels", DType::uint8);
      check_same_grid(shape_, label_shape_);
    } else if (plan.output_used("labels")) {
      throw Failure(ErrorCode::invalid_argument, "output 'labels' is connected and input 'segmentation' is not",
                    "connect a segmentation, or take the volume alone");
    }
    if (params.low >= params.high)
      throw Failure(ErrorCode::invalid_argument,
                    "low = " + to_parameter_text(params.low) + " is not below high = " + to_parameter_text(params.high),
                    "give the range of values that the structures differ in");
    const double* spacing = shape_.geometry.spacing_mm;
    const double wanted = params.slice_mm > 0 ? params.slice_mm : std::min(spacing[0], spacing[1]);
    parts_ = shape_.nz > 1 ? static_cast<int>(std::clamp(std::round(spacing[2] / wanted), 1.0, 1000.0)) : 1;
    slices_ = (shape_.nz - 1) * parts_ + 1;
    if (slices_ > 65535)
      throw Failure(ErrorCode::invalid_argument,
                    "slice_mm = " + to_parameter_text(params.slice_mm) + " makes " + std::to_string(slices_) +
                        " slices, and at most 65535 are allowed",
                    "use a larger slice_mm");
    set_match(spacing);
    describe(plan.output("output"), plan.input("input"), "voxels", DType::float32, shape_);
    if (labels_) describe(plan.output("labels"), plan.input("segmentation"), "labels", DType::uint8, label_shape_);
    tuned_ = plan.on_cpu() && !plan.launcher().reference_only;
    const auto others = tuned_ ? static_cast<std::uint64_t>(slice_match_scratch_floats(match_)) : 0;
    plan.scratch((2 * field_floats() + std::max(field_floats(), others)) * sizeof(float));
    plan.require_kernel<SliceMatchKernel>();
    plan.require_kernel<FieldSmoothKernel>();
    plan.require_kernel<SliceBlendKernel>();
  }

  void run(const RunContext& run) override {
    const Launcher launcher = launcher_of(run);
    const auto* voxels = run.input("input").tensor("voxels").as<const float>();
    auto* output = run.output("output").tensor("voxels").as<float>();
    const auto* labels = labels_ ? run.input("segmentation").tensor("labels").as<const std::uint8_t>() : nullptr;
    auto* labels_out = labels_ ? run.output("labels").tensor("labels").as<std::uint8_t>() : nullptr;
    for (int frame = 0; frame < shape_.nt; ++frame) {
      const bool with_labels = labels_ && frame < label_shape_.nt;
      for (int gap = 0; gap < std::max(shape_.nz - 1, 1); ++gap) {
        run.check_cancelled();
        const std::int64_t from = (static_cast<std::int64_t>(frame) * shape_.nz + gap) * plane();
        const std::int64_t to = (static_cast<std::int64_t>(frame) * slices_ + gap * parts_) * plane();
        fill_gap(launcher, gap, voxels + from, output + to, run.scratch<float>(), with_labels ? labels + from : nullptr,
                 with_labels ? labels_out + to : nullptr);
        run.progress(static_cast<double>(frame * (shape_.nz - 1) + gap + 1) / (shape_.nt * (shape_.nz - 1) + 1));
      }
    }
  }

 private:
  std::int64_t plane() const { return static_cast<std::int64_t>(shape_.nx) * shape_.ny; }
  std::uint64_t field_floats() const { return static_cast<std::uint64_t>(plane() + 63) / 64 * 64; }

  void set_match(const double* spacing) {
    constexpr int limit = 16;
    const auto reach = [&](int axis) {
      const double pixels = std::round(0.5 * params.reach_mm / spacing[axis]);
      if (pixels > limit)
        throw Failure(ErrorCode::invalid_argument,
                      "reach_mm = " + to_parameter_text(params.reach_mm) + " spans " + to_parameter_text(pixels) +
                          " pixels to each side, and at most " + std::to_string(limit) + " are allowed",
                      "use a reach_mm of at most " + to_parameter_text(2.0 * limit * spacing[axis]));
      return static_cast<int>(pixels);
    };
    const auto range = static_cast<float>(params.high - params.low);
    match_.nx = shape_.nx;
    match_.ny = shape_.ny;
    match_.reach_x = reach(0);
    match_.reach_y = reach(1);
    match_.low = static_cast<float>(params.low);
    match_.high = static_cast<float>(params.high);
    // One hundredth of the range for each mm: noise alone moves nothing far.
    match_.rest_x = 0.01F * range * static_cast<float>(spacing[0]);
    match_.rest_y = 0.01F * range * static_cast<float>(spacing[1]);
    match_.softness = 0.005F * range;
  }

  void describe(PayloadRef output, const Payload& input, const char* name, DType type, const GridShape& s) const {
    output.set_tensor(name, s.has_time ? tensor(type, "tzyx", {s.nt, slices_, s.ny, s.nx})
                                       : tensor(type, "zyx", {slices_, s.ny, s.nx}));
    Geometry g = s.geometry;
    g.spacing_mm[2] /= parts_;
    output.set_geometry(g);
    output.inherit_attributes(input);
  }

  /// The slices from `from` up to the next one; that one as well where it is the last.
  void fill_gap(const Launcher& launcher, int gap, const float* from, float* to, float* scratch,
                const std::uint8_t* labels, std::uint8_t* labels_to) const {
    const std::int64_t next = shape_.nz > 1 ? plane() : 0;
    SliceBlendKernel blend{
        from,    from + next, nullptr,   nullptr, nullptr, labels, labels == nullptr ? nullptr : labels + next,
        nullptr, shape_.nx,   shape_.ny, 0};
    if (parts_ > 1) {
      blend.dx = scratch;
      blend.dy = scratch + field_floats();
      match_slices(launcher, from, from + next, scratch, scratch + field_floats(), scratch + 2 * field_floats());
    }
    const int parts = shape_.nz == 1 ? 1 : gap + 2 == shape_.nz ? parts_ + 1 : parts_;
    for (int part = 0; part < parts; ++part) {
      blend.fraction = static_cast<float>(part) / static_cast<float>(parts_);
      blend.out = to + part * plane();
      blend.labels_out = labels_to == nullptr ? nullptr : labels_to + part * plane();
      launch(launcher, blend, shape_.nx, shape_.ny, 1);
    }
  }

  void match_slices(const Launcher& launcher, const float* below, const float* above, float* dx, float* dy,
                    float* other) const {
    SliceMatchKernel match = match_;
    match.below = below;
    match.above = above;
    match.dx = dx;
    match.dy = dy;
    if (tuned_)
      slice_match_tuned(launcher, match, other);
    else
      launch(launcher, match, shape_.nx, shape_.ny, 1);
    for (float* field : {dx, dy})
      for (const int stride : {1, 2}) {
        launch(launcher, FieldSmoothKernel{field, other, shape_.nx, shape_.ny, 0, stride}, shape_.nx, shape_.ny, 1);
        launch(launcher, FieldSmoothKernel{other, field, shape_.nx, shape_.ny, 1, stride}, shape_.nx, shape_.ny, 1);
      }
  }

  GridShape shape_, label_shape_;
  bool labels_ = false, tuned_ = true;
  int parts_ = 1, slices_ = 1;
  SliceMatchKernel match_{};
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(slice_interpolation, SliceInterpolationOperator)
