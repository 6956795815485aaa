#include "dicom_inspect.hpp"

#include "inspect.hpp"

namespace isocenter::detail::dicom {

void DicomInspectOperator::plan(PlanContext& plan) {
  const Report report = inspect(params.path, Workers(plan.launcher()));
  plan.items(0);
  plan.fact("dicom.report", to_json(report));
  plan.fact("dicom.report.text", to_lines(report));
}

void DicomInspectOperator::run(const RunContext&) { throw EndOfStream{}; }

}  // namespace isocenter::detail::dicom
