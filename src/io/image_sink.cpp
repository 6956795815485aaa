#include "image_sink.hpp"

#include "core/dense_input.hpp"

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
                  "take one channel by the node select_channel, and order the axes with x fastest");
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
  slabs_ = slabs_of(input);
  if (const std::string why = why_no_slabs(path_.at(0), options_); !slabs_.first.empty() && !why.empty())
    throw Failure(ErrorCode::out_of_memory,
                  "the volume comes in " + std::to_string(slabs_.first.size()) +
                      " slabs because it does not fit into the memory budget whole, and '" + path_.at(0).string() +
                      "' " + why,
                  "write .mha, .mhd, .nrrd or .nii with compress = false, or raise the budget");
  if (!slabs_.first.empty() && image_.has_time)
    throw Failure(ErrorCode::out_of_memory,
                  "the volume has a time axis and comes in " + std::to_string(slabs_.first.size()) +
                      " slabs because it does not fit into the memory budget whole",
                  "raise the budget");
  require_writable(path_.at(0));
  plan.declare_host_memory(block_sink_bytes(plan.launcher()));
  plan.fact("file", params.path);
}

void ImageSinkOperator::run(const RunContext& run) {
  ImageView image = image_;
  const PayloadRef input = run.input("input");
  image.voxels = planned_tensor(input, tensor_name_, planned_).data;
  image.geometry = input.geometry();
  if (!slabs_.first.empty()) return write_slab(run, image);
  write_image(path_.at_only(run.sequence(), "item"), image, options_, run.launcher(), [&run](double part) {
    run.check_cancelled();
    run.progress(part);
  });
}

/// Slices that an earlier slab had already are left out.
void ImageSinkOperator::write_slab(const RunContext& run, ImageView slab) {
  const auto count = static_cast<std::int64_t>(slabs_.first.size());
  const std::int64_t part = run.sequence() % count, first = slabs_.first[static_cast<std::size_t>(part)];
  if (part == 0) {
    ImageView whole = image_;
    whole.size[2] = slabs_.whole;
    written_ = 0;
    file_.emplace(path_.at_only(run.sequence() / count, "item"), whole, options_);
  }
  if (!file_ || first > written_) {
    file_.reset();
    throw Failure(ErrorCode::bad_data,
                  "slices before " + std::to_string(first) + " are missing, so that no file is written",
                  "look for the error of an earlier slab");
  }
  const std::int64_t known = written_ - first;
  slab.voxels = static_cast<const std::byte*>(slab.voxels) +
                static_cast<std::size_t>(known * slab.size[0] * slab.size[1]) * size_of(slab.type);
  slab.size[2] -= known;
  slab.first_slice = written_;
  written_ += slab.size[2];
  try {
    file_->append(slab, run.launcher(), [&run](double done) {
      run.check_cancelled();
      run.progress(done);
    });
    if (part + 1 == count) file_->commit();
  } catch (...) {
    file_.reset();
    throw;
  }
  if (part + 1 == count) file_.reset();
}

/// What is not whole leaves nothing behind.
void ImageSinkOperator::finish(bool) { file_.reset(); }

}  // namespace isocenter::detail::io
