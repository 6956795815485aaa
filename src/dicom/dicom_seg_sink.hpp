#pragma once
// The operator dicom_seg_sink; see isocenter/dicom/dicom_seg_sink.hpp.
#include <isocenter/dicom/dicom_seg_sink.hpp>

#include "write_segmentation.hpp"

namespace isocenter::detail::dicom {

class DicomSegSinkOperator : public OperatorBase<DicomSegSink> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  void plan_probabilities(const Payload& input);

  bool fractional_ = false;
  TensorView planned_;
  SourceMetadata source_;
  OutputDescription description_;
  std::vector<Segment> segments_;
};

}  // namespace isocenter::detail::dicom
