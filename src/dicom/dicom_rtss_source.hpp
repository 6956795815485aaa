#pragma once
// The operator dicom_rtss_source; see isocenter/dicom/dicom_rtss_source.hpp.
#include <isocenter/dicom/dicom_rtss_source.hpp>

#include "read_structures.hpp"

namespace isocenter::detail::dicom {

class DicomRtssSourceOperator : public OperatorBase<DicomRtssSource> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  void choose_structures();

  StructureSet set_;
  VoxelGrid grid_;
};

}  // namespace isocenter::detail::dicom
