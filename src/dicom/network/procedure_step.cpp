#include "procedure_step.hpp"

#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcdicent.h>
#include <dcmtk/dcmdata/dcdict.h>
#include <dcmtk/dcmdata/dcsequen.h>
#include <dcmtk/dcmdata/dcuid.h>

#include <isocenter/error.hpp>

#include "../utf8.hpp"
#include "normalized.hpp"

namespace isocenter::detail::dicom {
namespace {

const char* const step_class = UID_ModalityPerformedProcedureStepSOPClass;

void require(DcmItem& item, const DcmTagKey& tag, const std::string& where) {
  if (item.tagExistsWithValue(tag)) return;
  DcmTag named(tag);
  throw Failure(ErrorCode::invalid_argument,
                std::string("the procedure step has no ") + named.getTagName() + " " + tag.toString().c_str() + where,
                "give it; PS3.4 table F.7.2-1 requires a value");
}

/// The items of a sequence that needs at least one.
DcmSequenceOfItems& require_items(DcmDataset& attributes, const DcmTagKey& tag) {
  DcmSequenceOfItems* sequence = nullptr;
  attributes.findAndGetSequence(tag, sequence);
  if (sequence == nullptr || sequence->card() == 0) {
    DcmTag named(tag);
    throw Failure(ErrorCode::invalid_argument,
                  std::string("the procedure step has no item in ") + named.getTagName() + " " + tag.toString().c_str(),
                  "give at least one; PS3.4 table F.7.2-1 requires it");
  }
  return *sequence;
}

void complete(DcmItem& item, std::initializer_list<DcmTagKey> type_2) {
  for (const DcmTagKey& tag : type_2)
    if (!item.tagExists(tag)) item.insertEmptyElement(tag);
}

void require_uid(const std::string& uid) {
  if (!is_uid(uid))
    throw Failure(ErrorCode::invalid_argument, "the procedure step's SOP instance UID '" + uid + "' is no UID",
                  "give digits and dots, at most 64 of them (PS3.5 section 9.1)");
}

/// What a value representation allows, in words (PS3.5 table 6.2-1).
const char* allowed_by(DcmEVR vr) {
  switch (vr) {
    case EVR_DA:
      return "a date is eight digits, YYYYMMDD";
    case EVR_TM:
      return "a time is HHMMSS, with up to six decimals of a second";
    case EVR_UI:
      return "a UID is digits and dots, at most 64 of them";
    case EVR_CS:
      return "a code is up to 16 capital letters, digits, spaces and underscores";
    case EVR_AE:
      return "an AE title is up to 16 characters without a backslash";
    case EVR_SH:
      return "a short text has at most 16 characters";
    case EVR_LO:
      return "a long text has at most 64 characters";
    case EVR_IS:
      return "an integer has at most 12 characters";
    case EVR_DS:
      return "a number has at most 16 characters";
    default:
      return "see PS3.5 section 6.2";
  }
}

std::string multiplicity_of(const DcmTag& tag) {
  const DcmDataDictionary& dictionary = dcmDataDict.rdlock();
  const DcmDictEntry* entry = dictionary.findEntry(tag, tag.getPrivateCreator());
  const std::string text = entry == nullptr || entry->getVMMax() != 1 ? "1-n" : "1";
  dcmDataDict.rdunlock();
  return text;
}

void require_valid_value(DcmElement& element) {
  OFString value;
  DcmTag tag = element.getTag();
  element.getOFStringArray(value);
  const std::string named = std::string("the procedure step's ") + tag.getTagName() + " " + tag.toString().c_str() +
                            " = '" + valid_utf8(value.c_str()) + "' ";
  if (tag == DCM_PerformedProcedureStepStatus)
    throw Failure(ErrorCode::invalid_argument, named + "cannot be given", "start, complete or discontinue the step");
  if (element.checkValue(multiplicity_of(tag).c_str(), OFFalse).bad())
    throw Failure(ErrorCode::invalid_argument,
                  named + "is no value of " + DcmVR(tag.getEVR()).getVRName() + ": " + allowed_by(tag.getEVR()),
                  "give such a value");
}

void judge(const Association& association, const std::string& what, std::uint16_t status) {
  // 0x0116: a value is out of range, and was taken all the same (PS3.7 annex C.4.3).
  if (status == STATUS_Success || status == 0x0116) return;
  throw Failure(ErrorCode::bad_data,
                association.peer().name() + ": " + what + " failed: it answered " + status_text(status),
                "check the step's UID and attributes, whether the step has ended already, and the peer's log");
}

}  // namespace

ContextProposal procedure_step_proposal() { return {step_class, uncompressed_syntaxes()}; }

void require_valid_values(DcmItem& attributes) {
  for (unsigned long i = 0; i < attributes.card(); ++i) {
    DcmElement& element = *attributes.getElement(i);
    if (element.ident() != EVR_SQ) {
      require_valid_value(element);
      continue;
    }
    auto& sequence = static_cast<DcmSequenceOfItems&>(element);
    for (unsigned long k = 0; k < sequence.card(); ++k) require_valid_values(*sequence.getItem(k));
  }
}

void complete_procedure_step_start(const std::string& sop_instance_uid, DcmDataset& attributes) {
  require_uid(sop_instance_uid);
  DcmSequenceOfItems& scheduled = require_items(attributes, DCM_ScheduledStepAttributesSequence);
  for (unsigned long i = 0; i < scheduled.card(); ++i) {
    DcmItem& item = *scheduled.getItem(i);
    require(item, DCM_StudyInstanceUID, " in ScheduledStepAttributesSequence (0040,0270)");
    complete(item, {DCM_ReferencedStudySequence, DCM_AccessionNumber, DCM_RequestedProcedureID,
                    DCM_RequestedProcedureDescription, DCM_ScheduledProcedureStepID,
                    DCM_ScheduledProcedureStepDescription, DCM_ScheduledProtocolCodeSequence});
  }
  for (const DcmTagKey& tag : {DCM_PerformedProcedureStepID, DCM_PerformedStationAETitle,
                               DCM_PerformedProcedureStepStartDate, DCM_PerformedProcedureStepStartTime, DCM_Modality})
    require(attributes, tag, "");
  complete(
      attributes,
      {DCM_PatientName, DCM_PatientID, DCM_PatientBirthDate, DCM_PatientSex, DCM_ReferencedPatientSequence,
       DCM_PerformedStationName, DCM_PerformedLocation, DCM_PerformedProcedureStepEndDate,
       DCM_PerformedProcedureStepEndTime, DCM_PerformedProcedureStepDescription, DCM_PerformedProcedureTypeDescription,
       DCM_ProcedureCodeSequence, DCM_StudyID, DCM_PerformedProtocolCodeSequence, DCM_PerformedSeriesSequence});
}

void create_procedure_step(Association& association, const std::string& sop_instance_uid, DcmDataset& attributes) {
  const std::string what = "N-CREATE of the procedure step " + sop_instance_uid;
  complete_procedure_step_start(sop_instance_uid, attributes);
  attributes.putAndInsertString(DCM_PerformedProcedureStepStatus, "IN PROGRESS");
  const T_ASC_PresentationContextID context = association.require_context(step_class, what);
  T_DIMSE_Message message{};
  message.CommandField = DIMSE_N_CREATE_RQ;
  T_DIMSE_N_CreateRQ& request = message.msg.NCreateRQ;
  request.MessageID = association.next_message();
  request.DataSetType = DIMSE_DATASET_PRESENT;
  request.opts = O_NCREATE_AFFECTEDSOPINSTANCEUID;
  OFStandard::strlcpy(request.AffectedSOPClassUID, step_class, sizeof request.AffectedSOPClassUID);
  OFStandard::strlcpy(request.AffectedSOPInstanceUID, sop_instance_uid.c_str(), sizeof request.AffectedSOPInstanceUID);
  judge(association, what, exchange(association, context, message, attributes, what));
}

void complete_procedure_step_end(const std::string& sop_instance_uid, DcmDataset& attributes) {
  require_uid(sop_instance_uid);
  require(attributes, DCM_PerformedProcedureStepEndDate, "");
  require(attributes, DCM_PerformedProcedureStepEndTime, "");
  DcmSequenceOfItems& series = require_items(attributes, DCM_PerformedSeriesSequence);
  for (unsigned long i = 0; i < series.card(); ++i) {
    DcmItem& item = *series.getItem(i);
    require(item, DCM_SeriesInstanceUID, " in PerformedSeriesSequence (0040,0340)");
    require(item, DCM_ProtocolName, " in PerformedSeriesSequence (0040,0340)");
    complete(item, {DCM_PerformingPhysicianName, DCM_OperatorsName, DCM_SeriesDescription, DCM_RetrieveAETitle,
                    DCM_ReferencedImageSequence, DCM_ReferencedNonImageCompositeSOPInstanceSequence});
  }
}

void end_procedure_step(Association& association, const std::string& sop_instance_uid, ProcedureStepEnd end,
                        DcmDataset& attributes) {
  const std::string what = "N-SET of the procedure step " + sop_instance_uid;
  complete_procedure_step_end(sop_instance_uid, attributes);
  attributes.putAndInsertString(DCM_PerformedProcedureStepStatus,
                                end == ProcedureStepEnd::completed ? "COMPLETED" : "DISCONTINUED");
  const T_ASC_PresentationContextID context = association.require_context(step_class, what);
  T_DIMSE_Message message{};
  message.CommandField = DIMSE_N_SET_RQ;
  T_DIMSE_N_SetRQ& request = message.msg.NSetRQ;
  request.MessageID = association.next_message();
  request.DataSetType = DIMSE_DATASET_PRESENT;
  OFStandard::strlcpy(request.RequestedSOPClassUID, step_class, sizeof request.RequestedSOPClassUID);
  OFStandard::strlcpy(request.RequestedSOPInstanceUID, sop_instance_uid.c_str(),
                      sizeof request.RequestedSOPInstanceUID);
  judge(association, what, exchange(association, context, message, attributes, what));
}

}  // namespace isocenter::detail::dicom
