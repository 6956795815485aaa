#pragma once
// The operator dicom_document; see isocenter/dicom/dicom_document.hpp.
#include <isocenter/dicom/dicom_document.hpp>

namespace isocenter::detail::dicom {

class DicomDocumentOperator : public OperatorBase<DicomDocument> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;
};

}  // namespace isocenter::detail::dicom
