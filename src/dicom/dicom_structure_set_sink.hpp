#pragma once
// The operator dicom_structure_set_sink; see isocenter/dicom/dicom_structure_set_sink.hpp.
#include <isocenter/dicom/dicom_structure_set_sink.hpp>

#include "write_structure_set.hpp"

namespace isocenter::detail::dicom {

class DicomStructureSetSinkOperator : public OperatorBase<DicomStructureSetSink> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  TensorView planned_;
  SourceMetadata source_;
  OutputDescription description_;
  std::vector<Segment> segments_;
};

}  // namespace isocenter::detail::dicom
