#pragma once
// The operators over the network that hand no images over; see isocenter/dicom/dicom_commit.hpp and its neighbour.
#include <isocenter/dicom/dicom_commit.hpp>
#include <isocenter/dicom/dicom_procedure_step.hpp>

#include "network_operators.hpp"

namespace isocenter::detail::dicom {

class DicomCommitOperator : public OperatorBase<DicomCommit> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;
};

class DicomProcedureStepOperator : public OperatorBase<DicomProcedureStep> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  std::string uid_;  ///< of the step
};

}  // namespace isocenter::detail::dicom
