#include "image_sink.hpp"

#include "dense_input.hpp"

namespace isocenter::detail::io {
namespace {

VoxelType voxel_type_of(const TensorView& t) {
  switch (t.type()) {
    case DType::float32:
      return VoxelType::float32;
    case DType::uint8:
      return VoxelType::uint8;
    case DType::uint16:
      return VoxelType::uint16;
    default:
      throw Failure(ErrorCode::bad_data, "the input holds elements of a type that is not written",
                    "give a volume of float32, or labels of uint8 or uint16");
  }
}

ImageView describe(const Payload& input, const TensorView& t, bool is_labels) {
  const std::string_view axes = t.axes;
  if (axes != "zyx" && axes != "tzyx")
    throw Failure(ErrorCode::bad_data, "the input has the axes '" + std::string(axes) + "', and zyx or tzyx is needed",
                  "split channels into volumes of their own, and order the axes with x fastest");
  ImageView view;
  view.type = voxel_type_of(t);
  view.size = {t.extent('x'), t.extent('y'), t.extent('z'), t.extent('t')};
  view.has_time = axes == "tzyx";
  view.geometry = input.geometry();
  view.is_labels = is_labels;
  return view;
}

}  // namespace

void ImageSinkOperator::plan(PlanContext& plan) {
  path_ = NumberedPath(params.path);
  const PayloadRef input = plan.input("input");
  const bool is_labels = input.kind() == ISOCENTER_SEGMENTATION;
  tensor_name_ = is_labels ? "labels" : "voxels";
  planned_ = dense_tensor(input, tensor_name_);
  image_ = describe(input, planned_, is_labels);
  if (image_.type != VoxelType::float32 && params.voxel_type != StoredVoxels::input)
    throw Failure(ErrorCode::invalid_argument,
                  std::string("voxel_type = ") + ImageSink::Params::voxel_types[static_cast<int>(params.voxel_type)] +
                      " converts volumes of float32, and the input holds " + to_string(image_.type),
                  "leave voxel_type at input: labels are stored as they are");
  options_.stored = params.voxel_type == StoredVoxels::int16   ? VoxelType::int16
                    : params.voxel_type == StoredVoxels::uint8 ? VoxelType::uint8
                                                               : image_.type;
  if (options_.stored != image_.type && input.text("unit") == "1/mm")
    plan.warn(std::string("values in 1/mm are mostly below 1, and voxel_type = ") + to_string(options_.stored) +
                  " rounds them to whole numbers",
              "leave voxel_type at input, or convert the volume to HU first");
  options_.compress = params.compress;
  require_storable(path_.at(0), image_);
  if (params.compress && image_format_of(path_.at(0)) == ImageFormat::nifti)
    throw Failure(ErrorCode::invalid_argument, "compress = true has no meaning for path = '" + params.path + "'",
                  "NIfTI is compressed by its name: write .nii.gz, and leave compress at false");
  require_writable(path_.at(0));
  plan.declare_host_memory(block_sink_bytes(plan.launcher()));
  plan.fact("file", params.path);
}

void ImageSinkOperator::run(const RunContext& run) {
  ImageView image = image_;
  const PayloadRef input = run.input("input");
  image.voxels = planned_tensor(input, tensor_name_, planned_).data;
  image.geometry = input.geometry();
  write_image(path_.at_only(run.sequence(), "item"), image, options_, run.launcher(), [&run](double part) {
    run.check_cancelled();
    run.progress(part);
  });
}

}  // namespace isocenter::detail::io
