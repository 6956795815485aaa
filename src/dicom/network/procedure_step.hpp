#pragma once
// Modality performed procedure step as user (PS3.4 annex F.7): tells the information system that an examination began,
// and how it ended.
#include "association.hpp"

namespace isocenter::detail::dicom {

enum class ProcedureStepEnd { completed, discontinued };

ContextProposal procedure_step_proposal();

/// What create_procedure_step checks before it sends: `attributes` needs what PS3.4 table F.7.2-1 has as type 1; what
/// has to be there but may be empty (type 2) is added to it empty. Throws Failure(invalid_argument) with keyword and
/// tag for what is missing.
void complete_procedure_step_start(const std::string& sop_instance_uid, DcmDataset& attributes);

/// N-CREATE: the step `sop_instance_uid` is IN PROGRESS, with these attributes, completed. Throws Failure besides:
/// bad_data when the peer refuses; io_error for what the network does.
void create_procedure_step(Association& association, const std::string& sop_instance_uid, DcmDataset& attributes);

/// N-SET: the step has ended. `attributes` needs PerformedProcedureStepEndDate and -Time, and of each series that was
/// made its UID and protocol (PS3.4 table F.7.2-1, final state); other attributes are changed to what is in it. Throws
/// as create_procedure_step does.
void end_procedure_step(Association& association, const std::string& sop_instance_uid, ProcedureStepEnd end,
                        DcmDataset& attributes);

}  // namespace isocenter::detail::dicom
