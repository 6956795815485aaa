#pragma once
// The operator dicom_classification_sink; see isocenter/dicom/dicom_classification_sink.hpp.
#include <isocenter/dicom/dicom_classification_sink.hpp>

#include "write_classification.hpp"

namespace isocenter::detail::dicom {

class DicomClassificationSinkOperator : public OperatorBase<DicomClassificationSink> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  void read_classes(const PayloadRef& input, const TensorView& scores);
  void find_images(PlanContext& plan, const PayloadRef& input);
  std::vector<ClassOfImage> findings(const PayloadRef& input) const;

  SourceMetadata source_;
  OutputDescription description_;
  ClassificationToWrite written_;
  std::int64_t images_ = 0, classes_ = 0;
};

}  // namespace isocenter::detail::dicom
