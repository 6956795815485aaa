#pragma once
// The operator dicom_secondary_capture_sink; see isocenter/dicom/dicom_secondary_capture_sink.hpp.
#include <isocenter/dicom/dicom_secondary_capture_sink.hpp>
#include <memory>

#include "write_secondary_capture.hpp"

namespace isocenter::detail::dicom {

class DicomSecondaryCaptureSinkOperator : public OperatorBase<DicomSecondaryCaptureSink> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;
  void finish(bool completed) override;

 private:
  TensorView planned_;
  CaptureFormat format_;
  SourceMetadata source_;
  OutputDescription description_;
  std::unique_ptr<SecondaryCapture> capture_;
  bool given_up_ = false;
};

}  // namespace isocenter::detail::dicom
