#pragma once
// The operator image_sink; see isocenter/io/image_sink.hpp.
#include <isocenter/io/image_sink.hpp>
#include <isocenter/slabs.hpp>
#include <optional>

#include "image_writer.hpp"
#include "numbered_path.hpp"

namespace isocenter::detail::io {

class ImageSinkOperator : public OperatorBase<ImageSink> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;
  void finish(bool completed) override;

 private:
  void write_slab(const RunContext& run, ImageView slab);

  NumberedPath path_;
  const char* tensor_name_ = "voxels";
  TensorView planned_;
  ImageView image_;  ///< without its voxels
  ImageFileOptions options_;
  Slabs slabs_;                        ///< in which the image comes; none: whole
  std::optional<SlabImageFile> file_;  ///< that the slabs go to
  std::int64_t written_ = 0;           ///< slices of it
};

}  // namespace isocenter::detail::io
