#pragma once
// The operator dicom_detections_sink; see isocenter/dicom/dicom_detections_sink.hpp.
#include <isocenter/dicom/dicom_detections_sink.hpp>

#include "write_detections.hpp"

namespace isocenter::detail::dicom {

class DicomDetectionsSinkOperator : public OperatorBase<DicomDetectionsSink> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  SourceMetadata source_;
  OutputDescription description_;
  std::vector<Segment> classes_;
  bool planar_ = false;
};

}  // namespace isocenter::detail::dicom
