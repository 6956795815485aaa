#include "query.hpp"

#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcjson.h>
#include <dcmtk/dcmdata/dcpath.h>
#include <dcmtk/dcmdata/dcuid.h>
#include <dcmtk/dcmnet/diutil.h>

#include <isocenter/error.hpp>
#include <sstream>

#include "../character_set.hpp"
#include "../utf8.hpp"
#include "memory_stream.hpp"
#include "message.hpp"
#include "storage_contexts.hpp"

namespace isocenter::detail::dicom {
namespace {

std::string find_class(QueryModel model) {
  switch (model) {
    case QueryModel::worklist:
      return UID_FINDModalityWorklistInformationModel;
    case QueryModel::patient_root:
      return UID_FINDPatientRootQueryRetrieveInformationModel;
    default:
      return UID_FINDStudyRootQueryRetrieveInformationModel;
  }
}

std::string move_class(QueryModel model) {
  return model == QueryModel::patient_root ? UID_MOVEPatientRootQueryRetrieveInformationModel
                                           : UID_MOVEStudyRootQueryRetrieveInformationModel;
}

/// Sends a request of C-FIND, C-MOVE or C-GET, `command` being its part of `request`; over which context.
template <class Command>
T_ASC_PresentationContextID request_with(Association& association, T_DIMSE_Message& request, Command& command,
                                         const std::string& sop_class, DcmDataset& query, const char* what) {
  const T_ASC_PresentationContextID context = association.require_context(sop_class, what);
  command.MessageID = association.next_message();
  command.DataSetType = DIMSE_DATASET_PRESENT;
  command.Priority = DIMSE_PRIORITY_MEDIUM;
  OFStandard::strlcpy(command.AffectedSOPClassUID, sop_class.c_str(), sizeof command.AffectedSOPClassUID);
  send(association, context, request, &query, what);
  return context;
}

/// What one C-FIND asks for; the peer's answers, one after another.
void ask(Association& association, const std::string& sop_class, DcmDataset& query, std::size_t most,
         const std::function<void(DcmDataset&)>& take) {
  constexpr const char* what = "C-FIND";
  const Peer& peer = association.peer();
  T_DIMSE_Message request{};
  request.CommandField = DIMSE_C_FIND_RQ;
  const auto context = request_with(association, request, request.msg.CFindRQ, sop_class, query, what);
  for (std::size_t count = 0;;) {
    T_ASC_PresentationContextID on = 0;
    const T_DIMSE_Message message = receive(association.get(), peer, on, what);
    const T_DIMSE_C_FindRSP& response = message.msg.CFindRSP;
    if (message.CommandField != DIMSE_C_FIND_RSP || response.MessageIDBeingRespondedTo != request.msg.CFindRQ.MessageID)
      fail_with_other_message(peer, what, "an answer");
    std::unique_ptr<DcmDataset> answer;
    if (response.DataSetType != DIMSE_DATASET_NULL) answer = receive_data_set(association.get(), peer, what);
    const bool pending = response.DimseStatus == STATUS_FIND_Pending_MatchesAreContinuing ||
                         response.DimseStatus == STATUS_FIND_Pending_WarningUnsupportedOptionalKeys;
    if (!pending && response.DimseStatus != STATUS_Success)
      throw Failure(ErrorCode::bad_data,
                    peer.name() + ": C-FIND failed: it answered " + status_text(response.DimseStatus),
                    "check the level and its keys, and look into the peer's log");
    if (!pending) return;
    try {
      if (++count > most)
        throw Failure(ErrorCode::bad_data, peer.name() + ": more than " + std::to_string(most) + " answers",
                      "narrow the query, or raise the limit");
      if (answer != nullptr) take(*answer);
    } catch (const Error&) {
      DIMSE_sendCancelRequest(association.get(), context, request.msg.CFindRQ.MessageID);
      throw;
    }
  }
}

std::string json_of(DcmDataset& answer, const Peer& peer) {
  std::ostringstream text;
  DcmJsonFormatCompact format(OFTrue);
  text << "{";
  const OFCondition written = answer.writeJsonExt(text, format, OFFalse, OFFalse);
  text << "}";
  if (written.good()) return text.str();
  throw Failure(ErrorCode::bad_data,
                peer.name() + ": C-FIND: an answer cannot be written as JSON: " + std::string(written.text()),
                "ask for fewer attributes, or have the peer mend it");
}

std::string text_of(DcmItem& item, const DcmTagKey& tag) {
  OFString value;
  item.findAndGetOFStringArray(tag, value);
  return {value.c_str(), value.size()};
}

struct SubOperations {
  Retrieved done;
  const std::function<void(const Retrieved&)>* progress;
};

template <class Response>
void count(SubOperations& operations, const Response& response) {
  operations.done.completed = response.NumberOfCompletedSubOperations;
  operations.done.failed = response.NumberOfFailedSubOperations;
  operations.done.warnings = response.NumberOfWarningSubOperations;
  if (*operations.progress) (*operations.progress)(operations.done);
}

void judge(Retrieved& done, const Peer& peer, const char* what, std::uint16_t status) {
  if (status == STATUS_Success && done.failed == 0) return;
  if (status != STATUS_Success && (status & 0xf000U) != 0xb000U)
    throw Failure(ErrorCode::bad_data, peer.name() + ": " + what + " failed: it answered " + status_text(status),
                  "check the keys, that the peer knows the destination's AE title and address, and the peer's log");
  done.complaint = peer.name() + ": " + what + ": " + std::to_string(done.failed) + " instances did not come (" +
                   status_text(status) + ")";
}

/// Counts what a response of C-MOVE or C-GET says, and drops its data set. Whether it was the last one.
template <class Response>
bool take_response(SubOperations& operations, Association& association, const Response& response, const char* what) {
  if (response.DataSetType != DIMSE_DATASET_NULL) receive_data_set(association.get(), association.peer(), what);
  count(operations, response);
  if (response.DimseStatus == STATUS_MOVE_Pending_SubOperationsAreContinuing) return false;
  judge(operations.done, association.peer(), what, response.DimseStatus);
  return true;
}

std::string get_class(QueryModel model) {
  return model == QueryModel::patient_root ? UID_GETPatientRootQueryRetrieveInformationModel
                                           : UID_GETStudyRootQueryRetrieveInformationModel;
}

/// Takes one instance that the peer sends while it serves our C-GET; the first complaint is kept. Throws
/// Failure(io_error) when the disk fails.
void take_instance(Association& association, T_ASC_PresentationContextID context, const T_DIMSE_C_StoreRQ& request,
                   Inbox::Group& group, std::string& complaint) {
  std::vector<std::uint8_t> data_set;
  MemoryConsumer consumer(data_set, std::uint64_t{2} << 30U);
  MemoryStream stream(&consumer);
  T_ASC_PresentationContextID data_context = 0;
  const OFCondition received = DIMSE_receiveDataSetInFile(
      association.get(), DIMSE_NONBLOCKING, association.peer().timeout_s, &data_context, &stream, nullptr, nullptr);
  if (received.bad()) fail_with(association.get(), association.peer(), "C-GET", received);
  T_DIMSE_C_StoreRSP response{};
  response.MessageIDBeingRespondedTo = request.MessageID;
  response.DataSetType = DIMSE_DATASET_NULL;
  OFStandard::strlcpy(response.AffectedSOPClassUID, request.AffectedSOPClassUID, sizeof response.AffectedSOPClassUID);
  OFStandard::strlcpy(response.AffectedSOPInstanceUID, request.AffectedSOPInstanceUID,
                      sizeof response.AffectedSOPInstanceUID);
  response.opts = O_STORE_AFFECTEDSOPCLASSUID | O_STORE_AFFECTEDSOPINSTANCEUID;
  T_ASC_PresentationContext negotiated{};
  ASC_findAcceptedPresentationContext(association.get()->params, context, &negotiated);
  try {
    if (!consumer.complete())
      throw Failure(ErrorCode::out_of_memory, "an instance has more than 2 GiB, or memory is exhausted",
                    "fetch it with C-MOVE into a larger machine");
    group.add(name_of(data_set, negotiated.acceptedTransferSyntax), association.peer().called_ae, data_set);
    response.DimseStatus = STATUS_Success;
  } catch (const Error& e) {
    // The disk: instances that were answered with Success may be lost with this one.
    if (e.code() == ErrorCode::io_error) throw;
    if (complaint.empty()) complaint = e.what();
    response.DimseStatus = 0xa700;
  }
  const OFCondition answered = DIMSE_sendStoreResponse(association.get(), context, &request, &response, nullptr);
  if (answered.bad()) fail_with(association.peer(), "C-GET", answered);
}

}  // namespace

std::unique_ptr<DcmDataset> make_query(const std::string& level, const std::vector<QueryKey>& keys) {
  use_dcmnet();
  auto query = std::make_unique<DcmDataset>();
  query->putAndInsertString(DCM_SpecificCharacterSet, "ISO_IR 192");
  if (!level.empty()) query->putAndInsertString(DCM_QueryRetrieveLevel, level.c_str());
  for (const QueryKey& key : keys) {
    DcmPathProcessor path;
    std::string text = key.attribute;
    if (text.size() == 9 && text[4] == ',') text = "(" + text + ")";
    if (path.applyPathWithValue(query.get(), (text + "=" + key.value).c_str()).bad())
      throw Failure(ErrorCode::invalid_argument,
                    "'" + key.attribute + "' is no attribute, or '" + key.value + "' is no value of it",
                    "write its keyword or gggg,eeee, within a sequence as Sequence.Attribute");
  }
  return query;
}

ContextProposal find_proposal(QueryModel model) { return {find_class(model), uncompressed_syntaxes()}; }
ContextProposal move_proposal(QueryModel model) { return {move_class(model), uncompressed_syntaxes()}; }

Answers find(Association& association, QueryModel model, DcmDataset& query, std::size_t most) {
  Answers answers;
  const Peer& peer = association.peer();
  std::uint64_t bytes = 0;
  ask(association, find_class(model), query, most, [&](DcmDataset& answer) {
    const bool decoded = to_utf8(answer);
    const std::string json = json_of(answer, peer);
    answers.json.push_back(decoded ? json : valid_utf8(json));
    if (!decoded && answers.complaint.empty())
      answers.complaint = peer.name() + ": C-FIND: text of answer " + std::to_string(answers.json.size()) +
                          " is not of its SpecificCharacterSet (0008,0005) = '" +
                          valid_utf8(text_of(answer, DCM_SpecificCharacterSet)) +
                          "', and shows '?' for what is none. Fix: have the peer name the character set of its text.";
    bytes += answers.json.back().size();
    if (bytes > longest_answers)
      throw Failure(ErrorCode::bad_data,
                    peer.name() + ": answers of more than " + std::to_string(longest_answers >> 20U) + " MiB",
                    "narrow the query, or ask for fewer attributes");
  });
  return answers;
}

bool has_instance(Association& association, const InstanceName& name) {
  const auto query = make_query("IMAGE", {{"StudyInstanceUID", name.study_uid},
                                          {"SeriesInstanceUID", name.series_uid},
                                          {"SOPInstanceUID", name.sop_instance_uid}});
  bool there = false;
  ask(association, find_class(QueryModel::study_root), *query, 1000,
      [&](DcmDataset& answer) { there = there || text_of(answer, DCM_SOPInstanceUID) == name.sop_instance_uid; });
  return there;
}

Retrieved move(Association& association, QueryModel model, DcmDataset& query, const std::string& destination,
               const std::function<void(const Retrieved&)>& progress) {
  constexpr const char* what = "C-MOVE";
  const Peer& peer = association.peer();
  T_DIMSE_Message request{};
  request.CommandField = DIMSE_C_MOVE_RQ;
  OFStandard::strlcpy(request.msg.CMoveRQ.MoveDestination, destination.c_str(),
                      sizeof request.msg.CMoveRQ.MoveDestination);
  request_with(association, request, request.msg.CMoveRQ, move_class(model), query, what);
  SubOperations operations{{}, &progress};
  for (;;) {
    T_ASC_PresentationContextID on = 0;
    const T_DIMSE_Message message = receive(association.get(), peer, on, what);
    if (message.CommandField != DIMSE_C_MOVE_RSP) fail_with_other_message(peer, what, "an answer");
    if (take_response(operations, association, message.msg.CMoveRSP, what)) return operations.done;
  }
}

std::vector<ContextProposal> get_proposals(QueryModel model, const std::set<std::string>& modalities) {
  std::vector<ContextProposal> proposals = storage_contexts(modalities, most_contexts - 1);
  proposals.insert(proposals.begin(), {get_class(model), uncompressed_syntaxes()});
  return proposals;
}

Modalities ask_modalities(const Peer& peer, DcmDataset& query) {
  Modalities modalities;
  const auto series = make_query("SERIES", {{"StudyInstanceUID", text_of(query, DCM_StudyInstanceUID)},
                                            {"SeriesInstanceUID", text_of(query, DCM_SeriesInstanceUID)},
                                            {"Modality", ""}});
  std::unique_ptr<Association> association;
  try {
    association = std::make_unique<Association>(peer, std::vector{find_proposal(QueryModel::study_root)});
    ask(*association, find_class(QueryModel::study_root), *series, 10000, [&](DcmDataset& answer) {
      if (const std::string modality = text_of(answer, DCM_Modality); !modality.empty())
        modalities.known.insert(modality);
    });
    association->release();
  } catch (const Error& e) {
    if (association == nullptr && e.code() == ErrorCode::io_error) throw;
    modalities.complaint = e.what();
  }
  return modalities;
}

Retrieved get(Association& association, QueryModel model, DcmDataset& query, Inbox& inbox,
              const std::function<void(const Retrieved&)>& progress) {
  constexpr const char* what = "C-GET";
  const Peer& peer = association.peer();
  T_DIMSE_Message request{};
  request.CommandField = DIMSE_C_GET_RQ;
  request_with(association, request, request.msg.CGetRQ, get_class(model), query, what);
  SubOperations operations{{}, &progress};
  std::string complaint;
  Inbox::Group group(inbox);
  for (;;) {
    T_ASC_PresentationContextID on = 0;
    const T_DIMSE_Message message = receive(association.get(), peer, on, what);
    if (message.CommandField == DIMSE_C_STORE_RQ) {
      take_instance(association, on, message.msg.CStoreRQ, group, complaint);
      continue;
    }
    if (message.CommandField != DIMSE_C_GET_RSP) fail_with_other_message(peer, what, "a response");
    if (!take_response(operations, association, message.msg.CGetRSP, what)) continue;
    group.keep();
    if (!complaint.empty()) operations.done.complaint = complaint;
    return operations.done;
  }
}

}  // namespace isocenter::detail::dicom
