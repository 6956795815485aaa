#pragma once
// The operator dicom_series_sink; see isocenter/dicom/dicom_series_sink.hpp.
#include <isocenter/dicom/dicom_series_sink.hpp>

#include "output_description.hpp"
#include "source_metadata.hpp"

namespace isocenter::detail::dicom {

class DicomSeriesSinkOperator : public OperatorBase<DicomSeriesSink> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  TensorView planned_;
  SourceMetadata source_;
  OutputDescription description_;
};

}  // namespace isocenter::detail::dicom
