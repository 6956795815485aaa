#include "itk_image_source.hpp"

#include "io/planned_reader.hpp"

namespace isocenter::detail::itk_io {

void ItkImageSourceOperator::plan(PlanContext& plan) {
  const Format& format = format_of(params.path, params.image_io);
  file_ = std::make_unique<ItkFile>(params.path, format);
  const ImageInfo& info = file_->info();
  if (!info.has_orientation)
    plan.warn("'" + params.path + "' does not say how it lies in the patient; its axes are taken as ITK takes them",
              "use a format with an orientation, such as .nii or .mha");
  if (!info.remark.empty())
    plan.warn("'" + params.path + "': " + info.remark, "make both the same in the program that wrote it");
  io::describe_grid(plan.output("output"), "voxels", DType::float32, info);
  plan.output("output").set_text("unit", params.unit);
  plan.fact("file", params.path);
  plan.fact("image_io", format.title);
  plan.fact("stored_type", io::to_string(info.type));
  plan.items(1);
  if (info.type != io::VoxelType::float32) stored_.resize(static_cast<std::size_t>(file_->bytes()));
  plan.declare_host_memory(stored_.size() + file_->bytes() + (std::uint64_t{2} << 20));  // ITK holds them once more
}

void ItkImageSourceOperator::run(const RunContext& run) {
  if (run.sequence() > 0) throw EndOfStream{};
  const std::span<float> out = run.output("output").tensor("voxels").span<float>();
  std::byte* const stored = stored_.empty() ? std::as_writable_bytes(out).data() : stored_.data();
  file_->read(stored, io::progress_of(run));
  io::convert_voxels(
      file_->info(), stored, out, 0,
      params.non_finite == ItkImageSource::NonFinite::zero ? io::NonFinite::zero : io::NonFinite::refuse);
}

}  // namespace isocenter::detail::itk_io
