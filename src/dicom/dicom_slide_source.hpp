#pragma once
// The operator dicom_slide_source; see isocenter/dicom/dicom_slide_source.hpp.
#include <isocenter/dicom/dicom_slide_source.hpp>

#include "read_slide.hpp"

namespace isocenter::detail::dicom {

class DicomSlideSourceOperator : public OperatorBase<DicomSlideSource> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  Slide slide_;
  SlideRegion region_;
};

}  // namespace isocenter::detail::dicom
