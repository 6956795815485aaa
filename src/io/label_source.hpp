#pragma once
// The operator label_source; see isocenter/io/label_source.hpp.
#include <isocenter/io/label_source.hpp>
#include <memory>

#include "voxel_reader.hpp"

namespace isocenter::detail::io {

class LabelSourceOperator : public OperatorBase<LabelSource> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  std::unique_ptr<VoxelReader> reader_;
};

}  // namespace isocenter::detail::io
