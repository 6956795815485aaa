#pragma once
// The operator dicom_presentation_state_sink; see isocenter/dicom/dicom_presentation_state_sink.hpp.
#include <isocenter/dicom/dicom_presentation_state_sink.hpp>

#include "write_presentation_state.hpp"

namespace isocenter::detail::dicom {

class DicomPresentationStateSinkOperator : public OperatorBase<DicomPresentationStateSink> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  SourceMetadata source_;
  OutputDescription description_;
  PresentationToWrite presentation_;
};

}  // namespace isocenter::detail::dicom
