#pragma once
// The operator dicom_series_source; see isocenter/dicom/dicom_series_source.hpp.
#include <isocenter/dicom/dicom_series_source.hpp>

#include "load.hpp"

namespace isocenter::detail::dicom {

class DicomSeriesSourceOperator : public OperatorBase<DicomSeriesSource> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  Report report_;
  LoadPlan load_;
};

}  // namespace isocenter::detail::dicom
