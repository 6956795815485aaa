#pragma once
// The operator dicom_frames_source; see isocenter/dicom/dicom_frames_source.hpp.
#include <isocenter/dicom/dicom_frames_source.hpp>

#include "picture.hpp"

namespace isocenter::detail::dicom {

class DicomFramesSourceOperator : public OperatorBase<DicomFramesSource> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  void choose_window(PlanContext& plan);

  Image image_;
  GreyDisplay display_;
  int first_ = 0, count_ = 0;
};

}  // namespace isocenter::detail::dicom
