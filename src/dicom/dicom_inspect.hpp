#pragma once
// The operator dicom_inspect; see isocenter/dicom/dicom_inspect.hpp.
#include <isocenter/dicom/dicom_inspect.hpp>

namespace isocenter::detail::dicom {

class DicomInspectOperator : public OperatorBase<DicomInspect> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;
};

}  // namespace isocenter::detail::dicom
