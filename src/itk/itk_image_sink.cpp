#include "itk_image_sink.hpp"

#include <cmath>

#include "core/dense_input.hpp"
#include "file_bytes.hpp"
#include "io/number_text.hpp"
#include "io/staged_file.hpp"

namespace isocenter::detail::itk_io {
namespace {

io::VoxelType voxel_type_of(const TensorView& t) {
  switch (t.type()) {
    case DType::float32:
      return io::VoxelType::float32;
    case DType::uint8:
      return io::VoxelType::uint8;
    case DType::uint16:
      return io::VoxelType::uint16;
    default:
      throw Failure(ErrorCode::bad_data, "the input holds elements of a type that is not written",
                    "give a volume of float32, or labels of uint8 or uint16");
  }
}

ImageInfo describe(const PayloadRef& input, const TensorView& t) {
  const std::string_view axes = t.axes;
  if (axes != "zyx" && axes != "tzyx")
    throw Failure(ErrorCode::bad_data, "the input has the axes '" + std::string(axes) + "', and zyx or tzyx is needed",
                  "take one channel by the node select_channel, and order the axes with x fastest");
  ImageInfo image;
  image.type = voxel_type_of(t);
  image.size = {t.extent('x'), t.extent('y'), t.extent('z'), t.extent('t')};
  image.has_time = axes == "tzyx";
  image.geometry = input.geometry();
  return image;
}

/// A single time point without a step gets 1 s, as in ITK.
void require_storable(ImageInfo& image) {
  Geometry& g = image.geometry;
  if (image.size[3] > 1 && !(g.time_step_s > 0))
    fail(ErrorCode::bad_data, image.path,
         "would have " + std::to_string(image.size[3]) + " time points and a time step of " +
             io::number_text(g.time_step_s) + " s",
         "set the geometry's time_step_s");
  if (image.has_time && g.time_step_s == 0) g.time_step_s = 1;
  io::require_grid(image.path, {image.size.begin(), image.size.end()}, g);
}

void require_finite(const ImageInfo& image, std::span<const float> values) {
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i]))
      throw Failure(ErrorCode::bad_data,
                    "the image for '" + image.path.string() + "' has the value " +
                        io::number_text(static_cast<double>(values[i])) + " at voxel " +
                        io::voxel_text(image, static_cast<std::int64_t>(i)),
                    "look for the operator that made it: compare the report's input and output statistics");
}

}  // namespace

void ItkImageSinkOperator::plan(PlanContext& plan) {
  path_ = io::NumberedPath(params.path);
  format_ = &format_of(path_.at(0), params.image_io);
  const PayloadRef input = plan.input("input");
  tensor_name_ = input.kind() == ISOCENTER_SEGMENTATION ? "labels" : "voxels";
  planned_ = dense_tensor(input, tensor_name_);
  image_ = describe(input, planned_);
  image_.path = path_.at(0);
  require_storable(image_);
  const KeptGeometry kept = kept_geometry(*format_, image_);
  require_writable_format(kept.lost);
  if (!kept.lost.empty())
    plan.warn("'" + params.path + "' loses its " + kept.lost + ": " + format_->title + " has no place for it",
              "write .mha or .nrrd");
  io::require_writable(path_.at(0));
  read_back_.resize(static_cast<std::size_t>(image_.voxels()) * io::size_of(image_.type));
  plan.declare_host_memory(2 * read_back_.size() + (std::uint64_t{1} << 20));  // ITK holds them once more
  plan.fact("file", params.path);
  plan.fact("image_io", format_->title);
}

void ItkImageSinkOperator::require_writable_format(const std::string& lost) const {
  const std::string path = "'" + params.path + "'";
  if (!format_->is_written)
    throw Failure(ErrorCode::unsupported, path + " asks for " + format_->title + ", which is only read",
                  "write .nii, .mha or .nrrd");
  if (params.compress && !format_->has_compression)
    throw Failure(ErrorCode::invalid_argument,
                  std::string("compress = true has no meaning for path = ") + path + ", " + format_->title,
                  "write .nii.gz or .gipl.gz, which are compressed by their names, or leave compress at false");
  if (image_.has_time && format_->most_axes < 4)
    throw Failure(ErrorCode::unsupported,
                  "the image for " + path + " has a time axis, and " + format_->title + " has three axes",
                  "write .nii, .mha, .nrrd, .gipl or .h5");
  for (std::size_t i = 0; i < 4; ++i)
    if (image_.size[i] > format_->most_voxels)
      throw Failure(ErrorCode::unsupported,
                    "the image for " + path + " has " + std::to_string(image_.size[i]) + " voxels along " + "xyzt"[i] +
                        ", and " + format_->title + " holds at most " + std::to_string(format_->most_voxels),
                    "write .mha or .nrrd");
  if (!lost.empty() && params.lost_geometry == ItkLostGeometry::refuse)
    throw Failure(ErrorCode::unsupported,
                  "the image for " + path + " would lose its " + lost + ": " + format_->title + " has no place for it",
                  "write .mha or .nrrd, or set lost_geometry to accept");
}

void ItkImageSinkOperator::run(const RunContext& run) {
  const PayloadRef input = run.input("input");
  const void* voxels = planned_tensor(input, tensor_name_, planned_).data;
  ImageInfo image = image_;
  image.path = path_.at_only(run.sequence(), "item");
  image.geometry = input.geometry();
  require_storable(image);
  require_writable_format(kept_geometry(*format_, image).lost);
  if (image.type == io::VoxelType::float32)
    require_finite(image, {static_cast<const float*>(voxels), static_cast<std::size_t>(image.voxels())});

  StagedFolder folder(image.path);
  folder.require_room(room());
  run.check_cancelled();
  write_with_itk(folder.inner_path(), *format_, image, voxels, params.compress, [&] { folder.hold_room(room()); });
  run.progress(0.5);
  run.check_cancelled();
  require_same(run, folder, image, voxels);
  folder.commit();
}

/// What a file takes at most, compressed or not.
std::uint64_t ItkImageSinkOperator::room() const {
  return read_back_.size() + read_back_.size() / 64 + (std::uint64_t{64} << 10);
}

/// Reads what ITK wrote: its writers report success on a full disk.
void ItkImageSinkOperator::require_same(const RunContext& run, const StagedFolder& folder, const ImageInfo& image,
                                        const void* voxels) {
  std::string why;
  try {
    ItkFile file(folder.inner_path(), *format_);
    const ImageInfo& found = file.info();
    const Apart far = apart(found.geometry, kept_geometry(*format_, image).geometry, image), limit = tolerance(image);
    if (found.size != image.size || found.type != image.type) {
      why = "it has other extents or another type of voxels";
    } else if (far.mm > limit.mm || far.s > limit.s) {
      why = "it lies " + io::number_text(far.mm) + " mm and " + io::number_text(far.s) + " s elsewhere";
    } else {
      file.read(read_back_.data(), [&](double part) {
        run.check_cancelled();
        run.progress(0.5 + part / 2);
      });
      if (std::memcmp(read_back_.data(), voxels, read_back_.size()) != 0) why = "it has other voxels";
    }
  } catch (const Error& e) {
    why = e.what();
  }
  if (why.empty()) return;
  folder.require_room(room());  // on a full disk this says so
  throw Failure(ErrorCode::io_error,
                "'" + image.path.string() + "' was not written: what ITK wrote as " + format_->title +
                    " does not read back the same: " + why,
                "check the disk, or write another format");
}

}  // namespace isocenter::detail::itk_io
