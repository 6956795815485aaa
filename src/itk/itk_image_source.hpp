#pragma once
// The operator itk_image_source; see isocenter/itk/itk_image_source.hpp.
#include <isocenter/itk/itk_image_source.hpp>

#include "itk_file.hpp"

namespace isocenter::detail::itk_io {

class ItkImageSourceOperator : public OperatorBase<ItkImageSource> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  std::unique_ptr<ItkFile> file_;
  std::vector<std::byte> stored_;  ///< empty where the voxels are float32: they are read in place
};

}  // namespace isocenter::detail::itk_io
