#pragma once
// The operator image_source; see isocenter/io/image_source.hpp.
#include <isocenter/io/image_source.hpp>
#include <memory>

#include "png_file.hpp"
#include "voxel_reader.hpp"

namespace isocenter::detail::io {

class ImageSourceOperator : public OperatorBase<ImageSource> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  void plan_png(PlanContext& plan);

  std::unique_ptr<VoxelReader> reader_;  ///< null for a PNG
  PngInfo png_;
  std::vector<std::byte> pixels_;
};

}  // namespace isocenter::detail::io
