#include "dicom_validate.hpp"

#include "validate_object.hpp"

namespace isocenter::detail::dicom {

void DicomValidateOperator::plan(PlanContext& plan) {
  const auto files = validate_folder(params.path, Workers(plan.launcher()));
  plan.items(0);
  plan.fact("dicom.validation", to_json(files));
  plan.fact("dicom.validation.text", to_lines(files));
}

void DicomValidateOperator::run(const RunContext&) { throw EndOfStream{}; }

}  // namespace isocenter::detail::dicom
