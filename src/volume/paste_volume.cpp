#include <isocenter/volume/paste_volume.hpp>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "core/orientation.hpp"
#include "volume/crop.hpp"
#include "volume/field_of_view.hpp"

namespace isocenter::detail {

class PasteVolumeOperator : public OperatorBase<PasteVolume> {
 public:
  void plan(PlanContext& plan) override {
    const PayloadRef reference = plan.input("reference");
    const bool labels = reference.kind() == ISOCENTER_SEGMENTATION;
    grid_ = grid_shape(reference, "reference", labels ? "labels" : "voxels", labels ? DType::uint8 : DType::float32);
    plan_crop(plan.input("crop"));
    check_pair("output", "input", plan);
    check_pair("labels", "segmentation", plan);
    if (!plan.has_input("input") && !plan.has_input("segmentation"))
      throw Failure(ErrorCode::invalid_argument, "neither input 'input' nor input 'segmentation' is connected",
                    "connect what was made of the crop");
    if (plan.has_input("input")) {
      values_ = kernel<float>(plan, "input", "voxels", "output", DType::float32);
      values_.nearest = params.interpolation == Interpolation::nearest;
      values_.outside = static_cast<float>(params.outside);
    }
    if (plan.has_input("segmentation")) {
      labels_ = kernel<std::uint8_t>(plan, "segmentation", "labels", "labels", DType::uint8);
      labels_.nearest = true;
    }
  }

  void run(const RunContext& run) override {
    const auto* boxes = run.input("crop").tensor("box").as<const std::int32_t>();
    if (run.has_input("input")) paste(run, values_, "input", "voxels", "output", boxes);
    if (run.has_input("segmentation")) paste(run, labels_, "segmentation", "labels", "labels", boxes);
  }

 private:
  static void check_pair(const char* output, const char* input, const PlanContext& plan) {
    if (plan.output_used(output) && !plan.has_input(input))
      throw Failure(ErrorCode::invalid_argument,
                    std::string("output '") + output + "' is connected and input '" + input + "' is not",
                    "connect both or none");
  }

  void plan_crop(const PayloadRef& crop) {
    crop_ = grid_shape(crop, "crop", "voxels", DType::float32);
    const auto cut = crop.numbers("crop.grid");
    const std::string axes = crop.text("crop.axes");
    if (cut.size() != 3 || !are_axes(axes))
      throw Failure(ErrorCode::bad_data, "input 'crop' does not say where its box lies",
                    "connect an output of crop_volume");
    const Orientation turn = orient(grid_.geometry, axes);
    turned_ = oriented(grid_, turn);
    steps_ = voxel_steps(grid_, turn);
    const int n[3] = {turned_.nx, turned_.ny, turned_.nz};
    for (std::size_t a = 0; a < 3; ++a)
      if (cut[a] != n[a])
        throw Failure(ErrorCode::bad_data,
                      "input 'reference' has " + std::to_string(n[a]) + " voxels along " + axes[a] +
                          ", and crop_volume cut from " + to_parameter_text(cut[a]),
                      "connect the volume that was cut");
    // As planned, whatever box is cut later, the crop covers the whole field of view.
    if (const double apart = corners_apart_mm(turned_, crop_); apart > corner_tolerance_mm(grid_))
      throw Failure(ErrorCode::bad_data,
                    "the fields of view of input 'reference' and of what crop_volume cut have corners up to " +
                        to_parameter_text(apart) + " mm apart",
                    "connect the volume that was cut");
  }

  template <class T>
  PasteKernel<T> kernel(PlanContext& plan, const char* port, const char* name, const char* output, DType type) {
    const PayloadRef in = plan.input(port);
    const GridShape shape = grid_shape(in, port, name, type);
    if (shape.nx != crop_.nx || shape.ny != crop_.ny || shape.nz != crop_.nz || shape.nt != crop_.nt)
      throw Failure(ErrorCode::bad_data,
                    std::string("input '") + port + "' has " + extents(shape) + " voxels (x, y, z, t) and the crop " +
                        extents(crop_),
                    "connect what was made of this crop, on its voxels");
    PayloadRef out = plan.output(output);
    out.set_tensor(name, shape.has_time ? tensor(type, "tzyx", {shape.nt, grid_.nz, grid_.ny, grid_.nx})
                                        : tensor(type, "zyx", {grid_.nz, grid_.ny, grid_.nx}));
    Geometry geometry = grid_.geometry;
    geometry.time_step_s = shape.geometry.time_step_s;
    out.set_geometry(geometry);
    out.inherit_attributes(in);
    for (const char* key : {"crop.axes", "crop.grid"}) isocenter_payload_set_text(out.get(), key, nullptr, nullptr);
    PasteKernel<T> k{};
    k.steps = steps_;
    k.nx = shape.nx;
    k.ny = shape.ny;
    k.nz = shape.nz;
    return k;
  }

  static std::string extents(const GridShape& s) {
    return std::to_string(s.nx) + " x " + std::to_string(s.ny) + " x " + std::to_string(s.nz) + " x " +
           std::to_string(s.nt);
  }

  template <class T>
  void paste(const RunContext& run, PasteKernel<T>& k, const char* port, const char* name, const char* output,
             const std::int32_t* boxes) const {
    for (int t = 0; t < crop_.nt; ++t) {
      run.check_cancelled();
      k.in = run.input(port).tensor(name).template as<const T>() + t * crop_.frame_voxels();
      k.out = run.output(output).tensor(name).template as<T>() + t * grid_.frame_voxels();
      std::copy(boxes + 6 * t, boxes + 6 * t + 3, k.box.first);
      std::copy(boxes + 6 * t + 3, boxes + 6 * t + 6, k.box.size);
      launch(launcher_of(run), k, turned_.nx, turned_.ny, turned_.nz);
    }
  }

  GridShape grid_, turned_, crop_;  ///< the reference, its axes as the crop's, the crop
  VoxelSteps steps_{};
  PasteKernel<float> values_{};
  PasteKernel<std::uint8_t> labels_{};
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(paste_volume, PasteVolumeOperator)
