#pragma once
// The operator itk_image_sink; see isocenter/itk/itk_image_sink.hpp.
#include <isocenter/itk/itk_image_sink.hpp>

#include "io/numbered_path.hpp"
#include "itk_file.hpp"
#include "staged_folder.hpp"

namespace isocenter::detail::itk_io {

class ItkImageSinkOperator : public OperatorBase<ItkImageSink> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  void require_writable_format(const std::string& lost) const;
  std::uint64_t room() const;
  void require_same(const RunContext& run, const StagedFolder& folder, const ImageInfo& image, const void* voxels);

  io::NumberedPath path_;
  const Format* format_ = nullptr;
  const char* tensor_name_ = "voxels";
  TensorView planned_;
  ImageInfo image_;
  std::vector<std::byte> read_back_;
};

}  // namespace isocenter::detail::itk_io
