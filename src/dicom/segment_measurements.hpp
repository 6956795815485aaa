#pragma once
// The operator segment_measurements; see isocenter/dicom/segment_measurements.hpp.
#include <isocenter/dicom/segment_measurements.hpp>
#include <vector>

#include "measure_segments.hpp"

namespace isocenter::detail::dicom {

class SegmentMeasurementsOperator : public OperatorBase<SegmentMeasurements> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  TensorView labels_, voxels_;
  int count_ = 0;  ///< labels beside the background
  std::vector<double> values_, column_, centroids_, boxes_;
};

}  // namespace isocenter::detail::dicom
