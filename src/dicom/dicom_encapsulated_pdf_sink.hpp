#pragma once
// The operator dicom_encapsulated_pdf_sink; see isocenter/dicom/dicom_encapsulated_pdf_sink.hpp.
#include <isocenter/dicom/dicom_encapsulated_pdf_sink.hpp>

#include "write_encapsulated_pdf.hpp"

namespace isocenter::detail::dicom {

class DicomEncapsulatedPdfSinkOperator : public OperatorBase<DicomEncapsulatedPdfSink> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  SourceMetadata source_;
  OutputDescription description_;
};

}  // namespace isocenter::detail::dicom
