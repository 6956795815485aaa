#pragma once
// The operator dicom_seg_source; see isocenter/dicom/dicom_seg_source.hpp.
#include <isocenter/dicom/dicom_seg_source.hpp>

#include "read_segmentation.hpp"

namespace isocenter::detail::dicom {

class DicomSegSourceOperator : public OperatorBase<DicomSegSource> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  SegmentationObject object_;
  VoxelGrid grid_;
};

}  // namespace isocenter::detail::dicom
