#pragma once
// The operator dicom_parametric_map_sink; see isocenter/dicom/dicom_parametric_map_sink.hpp.
#include <isocenter/dicom/dicom_parametric_map_sink.hpp>

#include "write_parametric_map.hpp"

namespace isocenter::detail::dicom {

class DicomParametricMapSinkOperator : public OperatorBase<DicomParametricMapSink> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  void plan_channel(const Payload& input);

  TensorView planned_;
  SourceMetadata source_;
  OutputDescription description_;
  Code unit_, quantity_;
};

}  // namespace isocenter::detail::dicom
