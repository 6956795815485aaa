#pragma once
// The operator dicom_report_sink; see isocenter/dicom/dicom_report_sink.hpp.
#include <isocenter/dicom/dicom_report_sink.hpp>

#include "write_report.hpp"

namespace isocenter::detail::dicom {

class DicomReportSinkOperator : public OperatorBase<DicomReportSink> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  TensorView planned_;
  SourceMetadata source_;
  OutputDescription description_, segmentation_description_;
  std::vector<Segment> segments_;
  std::string unit_;
};

}  // namespace isocenter::detail::dicom
