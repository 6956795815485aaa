#include "dicom_inspect.hpp"

#include <iterator>
#include <sstream>

#include "inspect.hpp"

namespace isocenter::detail::dicom {
namespace {

std::vector<std::string> words(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

}  // namespace

void DicomInspectOperator::plan(PlanContext& plan) {
  const Workers workers(plan.launcher());
  Report report = inspect(params.path, workers);
  const ShownHeader shown{params.header, words(params.attributes)};
  if (shown.typed || !shown.attributes.empty()) read_series_headers(report, workers);
  plan.items(0);
  plan.fact("dicom.report", to_json(report, shown));
  plan.fact("dicom.report.text", to_lines(report, shown));
}

void DicomInspectOperator::run(const RunContext&) { throw EndOfStream{}; }

}  // namespace isocenter::detail::dicom
