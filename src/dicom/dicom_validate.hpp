#pragma once
// The operator dicom_validate; see isocenter/dicom/dicom_validate.hpp.
#include <isocenter/dicom/dicom_validate.hpp>

namespace isocenter::detail::dicom {

class DicomValidateOperator : public OperatorBase<DicomValidate> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;
};

}  // namespace isocenter::detail::dicom
