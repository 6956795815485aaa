#pragma once
// The operator projections_source; see isocenter/io/projections_source.hpp.
#include <isocenter/io/projections_source.hpp>
#include <memory>

#include "voxel_reader.hpp"

namespace isocenter::detail::io {

class ProjectionsSourceOperator : public OperatorBase<ProjectionsSource> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  std::unique_ptr<VoxelReader> reader_;
};

}  // namespace isocenter::detail::io
