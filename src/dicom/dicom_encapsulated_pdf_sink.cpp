#include "dicom_encapsulated_pdf_sink.hpp"

#include "operator_support.hpp"
#include "output_file.hpp"

namespace isocenter::detail::dicom {

void DicomEncapsulatedPdfSinkOperator::plan(PlanContext& plan) {
  const PayloadRef input = plan.input("input");
  source_ = read_metadata(input);
  require_short("title", params.title, 1024);
  description_ = describe_output({params.series_description, "", params.manufacturer, params.model_name,
                                  params.device_serial_number, params.series_number},
                                 DicomDerivation::none, input);
  require_file_path(numbered_path(params.path, 0));
  plan.fact("file", params.path);
}

void DicomEncapsulatedPdfSinkOperator::run(const RunContext& run) {
  write_encapsulated_pdf(numbered_path(params.path, run.sequence()), params.document, params.title, source_,
                         description_);
}

}  // namespace isocenter::detail::dicom
