#pragma once
// The operator image_sink; see isocenter/io/image_sink.hpp.
#include <isocenter/io/image_sink.hpp>

#include "image_writer.hpp"
#include "numbered_path.hpp"

namespace isocenter::detail::io {

class ImageSinkOperator : public OperatorBase<ImageSink> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  NumberedPath path_;
  const char* tensor_name_ = "voxels";
  TensorView planned_;
  ImageView image_;  ///< without its voxels
  ImageFileOptions options_;
};

}  // namespace isocenter::detail::io
