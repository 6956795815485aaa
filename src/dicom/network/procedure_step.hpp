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

/// The same for end_procedure_step: PerformedProcedureStepEndDate and -Time, and of each series that was made its UID
/// and protocol (PS3.4 table F.7.2-1, final state).
void complete_procedure_step_end(const std::string& sop_instance_uid, DcmDataset& attributes);

/// Throws Failure(invalid_argument) with keyword, tag, value and what is allowed for a value that is none of its value
/// representation (PS3.5 section 6.2), and for PerformedProcedureStepStatus, which is not given but done.
void require_valid_values(DcmItem& attributes);

/// N-CREATE: the step `sop_instance_uid` is IN PROGRESS, with these attributes, completed. Throws Failure besides:
/// bad_data when the peer refuses; io_error for what the network does.
void create_procedure_step(Association& association, const std::string& sop_instance_uid, DcmDataset& attributes);

/// N-SET: the step has ended, with these attributes, completed; others stay as they are. Throws as
/// create_procedure_step does.
void end_procedure_step(Association& association, const std::string& sop_instance_uid, ProcedureStepEnd end,
                        DcmDataset& attributes);

}  // namespace isocenter::detail::dicom
