#pragma once
// The operator dicom_deidentify; see isocenter/dicom/dicom_deidentify.hpp.
#include <isocenter/dicom/dicom_deidentify.hpp>

#include "deidentify.hpp"

namespace isocenter::detail::dicom {

class DicomDeidentifyOperator : public OperatorBase<DicomDeidentify> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  DeidentificationOptions options_;
};

}  // namespace isocenter::detail::dicom
