#pragma once
// The operator dicom_projections_source; see isocenter/dicom/dicom_projections_source.hpp.
#include <isocenter/dicom/dicom_projections_source.hpp>

#include "frame_choice.hpp"

namespace isocenter::detail::dicom {

class DicomProjectionsSourceOperator : public OperatorBase<DicomProjectionsSource> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  void describe_frames(PlanContext& plan, Payload& output);

  Image image_;
  FrameChoice frames_;
};

}  // namespace isocenter::detail::dicom
