#include "query.hpp"

#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcjson.h>
#include <dcmtk/dcmdata/dcpath.h>
#include <dcmtk/dcmdata/dcuid.h>
#include <dcmtk/dcmnet/diutil.h>

#include <isocenter/error.hpp>
#include <sstream>

#include "memory_stream.hpp"

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

struct Answers {
  Association* association;
  T_ASC_PresentationContextID context;
  std::size_t most;
  bool as_json;
  bool too_many = false;
  std::size_t count = 0;
  std::vector<std::string> json;
  std::string complaint;  ///< about the first answer that is no JSON
};

void add_json(DcmDataset& answer, Answers& answers) {
  std::ostringstream text;
  DcmJsonFormatCompact format(OFTrue);
  answer.convertToUTF8();  // text that is not of its character set must not hide a whole worklist: it stays as it is
  text << "{";
  const OFCondition written = answer.writeJsonExt(text, format, OFFalse, OFFalse);
  text << "}";
  if (written.good())
    answers.json.push_back(text.str());
  else if (answers.complaint.empty())
    answers.complaint = written.text();
}

void take_answer(void* data, T_DIMSE_C_FindRQ* request, int, T_DIMSE_C_FindRSP*, DcmDataset* identifiers) {
  auto& answers = *static_cast<Answers*>(data);
  if (identifiers == nullptr || answers.too_many) return;
  if (++answers.count > answers.most) {
    answers.too_many = true;
    DIMSE_sendCancelRequest(answers.association->get(), answers.context, request->MessageID);
    return;
  }
  if (answers.as_json) add_json(*identifiers, answers);
}

void ask(Association& association, const std::string& sop_class, DcmDataset& query, Answers& answers) {
  answers.association = &association;
  answers.context = association.require_context(sop_class, "C-FIND");
  T_DIMSE_C_FindRQ request{};
  request.MessageID = association.next_message();
  request.DataSetType = DIMSE_DATASET_PRESENT;
  request.Priority = DIMSE_PRIORITY_MEDIUM;
  OFStandard::strlcpy(request.AffectedSOPClassUID, sop_class.c_str(), sizeof request.AffectedSOPClassUID);
  T_DIMSE_C_FindRSP response{};
  DcmDataset* detail = nullptr;
  int count = 0;
  const OFCondition done =
      DIMSE_findUser(association.get(), answers.context, &request, &query, count, take_answer, &answers,
                     DIMSE_NONBLOCKING, association.peer().timeout_s, &response, &detail);
  const std::unique_ptr<DcmDataset> owned(detail);
  if (done.bad()) fail_with(association.peer(), "C-FIND", done);
  if (response.DimseStatus != STATUS_Success && !answers.too_many)
    throw Failure(ErrorCode::bad_data,
                  association.peer().name() + ": C-FIND failed: it answered " + status_text(response.DimseStatus),
                  "check the level and its keys, and look into the peer's log");
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

void move_progress(void* data, T_DIMSE_C_MoveRQ*, int, T_DIMSE_C_MoveRSP* response) {
  count(*static_cast<SubOperations*>(data), *response);
}

void judge(Retrieved& done, const Peer& peer, const char* what, std::uint16_t status) {
  if (status == STATUS_Success && done.failed == 0) return;
  if (status != STATUS_Success && (status & 0xf000U) != 0xb000U)
    throw Failure(ErrorCode::bad_data, peer.name() + ": " + what + " failed: it answered " + status_text(status),
                  "check the keys, that the peer knows the destination's AE title and address, and the peer's log");
  done.complaint = peer.name() + ": " + what + ": " + std::to_string(done.failed) + " instances did not come (" +
                   status_text(status) + ")";
}

std::string get_class(QueryModel model) {
  return model == QueryModel::patient_root ? UID_GETPatientRootQueryRetrieveInformationModel
                                           : UID_GETStudyRootQueryRetrieveInformationModel;
}

/// Takes one instance that the peer sends while it serves our C-GET; the first complaint is kept.
void take_instance(Association& association, T_ASC_PresentationContextID context, const T_DIMSE_C_StoreRQ& request,
                   Inbox& inbox, std::string& complaint) {
  std::vector<std::uint8_t> data_set;
  MemoryConsumer consumer(data_set, std::uint64_t{2} << 30U);
  MemoryStream stream(&consumer);
  T_ASC_PresentationContextID data_context = 0;
  const OFCondition received = DIMSE_receiveDataSetInFile(
      association.get(), DIMSE_NONBLOCKING, association.peer().timeout_s, &data_context, &stream, nullptr, nullptr);
  if (received.bad()) fail_with(association.peer(), "C-GET", received);
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
    inbox.accept(name_of(data_set, negotiated.acceptedTransferSyntax), association.peer().called_ae, data_set);
    response.DimseStatus = STATUS_Success;
  } catch (const Error& e) {
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

std::vector<std::string> find(Association& association, QueryModel model, DcmDataset& query, std::size_t most) {
  Answers answers{};
  answers.most = most;
  answers.as_json = true;
  ask(association, find_class(model), query, answers);
  if (answers.too_many)
    throw Failure(ErrorCode::bad_data, association.peer().name() + ": more than " + std::to_string(most) + " answers",
                  "narrow the query, or raise the limit");
  if (!answers.complaint.empty())
    throw Failure(ErrorCode::bad_data,
                  association.peer().name() + ": C-FIND: an answer cannot be written as JSON: " + answers.complaint,
                  "ask for fewer attributes, or have the peer mend it");
  return answers.json;
}

std::size_t count_matches(Association& association, DcmDataset& query) {
  Answers answers{};
  answers.most = 1000;
  answers.as_json = false;
  ask(association, find_class(QueryModel::study_root), query, answers);
  return answers.count;
}

Retrieved move(Association& association, QueryModel model, DcmDataset& query, const std::string& destination,
               const std::function<void(const Retrieved&)>& progress) {
  const std::string sop_class = move_class(model);
  const T_ASC_PresentationContextID context = association.require_context(sop_class, "C-MOVE");
  T_DIMSE_C_MoveRQ request{};
  request.MessageID = association.next_message();
  request.DataSetType = DIMSE_DATASET_PRESENT;
  request.Priority = DIMSE_PRIORITY_MEDIUM;
  OFStandard::strlcpy(request.AffectedSOPClassUID, sop_class.c_str(), sizeof request.AffectedSOPClassUID);
  OFStandard::strlcpy(request.MoveDestination, destination.c_str(), sizeof request.MoveDestination);
  SubOperations operations{{}, &progress};
  T_DIMSE_C_MoveRSP response{};
  DcmDataset* detail = nullptr;
  DcmDataset* identifiers = nullptr;
  const OFCondition done =
      DIMSE_moveUser(association.get(), context, &request, &query, move_progress, &operations, DIMSE_NONBLOCKING,
                     association.peer().timeout_s, nullptr, nullptr, nullptr, &response, &detail, &identifiers);
  const std::unique_ptr<DcmDataset> owned_detail(detail), owned_identifiers(identifiers);
  if (done.bad()) fail_with(association.peer(), "C-MOVE", done);
  count(operations, response);
  judge(operations.done, association.peer(), "C-MOVE", response.DimseStatus);
  return operations.done;
}

std::vector<ContextProposal> get_proposals(QueryModel model) {
  std::vector<ContextProposal> proposals{{get_class(model), uncompressed_syntaxes()}};
  for (int i = 0; i < numberOfDcmLongSCUStorageSOPClassUIDs && proposals.size() < most_contexts; ++i)
    proposals.push_back({dcmLongSCUStorageSOPClassUIDs[i], uncompressed_syntaxes(), true});
  return proposals;
}

Retrieved get(Association& association, QueryModel model, DcmDataset& query, Inbox& inbox,
              const std::function<void(const Retrieved&)>& progress) {
  const std::string sop_class = get_class(model);
  const Peer& peer = association.peer();
  const T_ASC_PresentationContextID context = association.require_context(sop_class, "C-GET");
  T_DIMSE_Message request{};
  request.CommandField = DIMSE_C_GET_RQ;
  request.msg.CGetRQ.MessageID = association.next_message();
  request.msg.CGetRQ.DataSetType = DIMSE_DATASET_PRESENT;
  request.msg.CGetRQ.Priority = DIMSE_PRIORITY_MEDIUM;
  OFStandard::strlcpy(request.msg.CGetRQ.AffectedSOPClassUID, sop_class.c_str(),
                      sizeof request.msg.CGetRQ.AffectedSOPClassUID);
  const OFCondition sent =
      DIMSE_sendMessageUsingMemoryData(association.get(), context, &request, nullptr, &query, nullptr, nullptr);
  if (sent.bad()) fail_with(peer, "C-GET", sent);
  SubOperations operations{{}, &progress};
  std::string complaint;
  for (;;) {
    T_DIMSE_Message message{};
    T_ASC_PresentationContextID on = 0;
    DcmDataset* detail = nullptr;
    const OFCondition received =
        DIMSE_receiveCommand(association.get(), DIMSE_NONBLOCKING, peer.timeout_s, &on, &message, &detail);
    delete detail;
    if (received.bad()) fail_with(peer, "C-GET", received);
    if (message.CommandField == DIMSE_C_STORE_RQ) {
      take_instance(association, on, message.msg.CStoreRQ, inbox, complaint);
      continue;
    }
    if (message.CommandField != DIMSE_C_GET_RSP)
      throw Failure(ErrorCode::bad_data, peer.name() + ": C-GET failed: it sent another message than a response",
                    "look into the peer's log");
    const T_DIMSE_C_GetRSP& response = message.msg.CGetRSP;
    if (response.DataSetType != DIMSE_DATASET_NULL) {
      DcmDataset* failed = nullptr;
      T_ASC_PresentationContextID ignored = 0;
      const OFCondition taken = DIMSE_receiveDataSetInMemory(association.get(), DIMSE_NONBLOCKING, peer.timeout_s,
                                                             &ignored, &failed, nullptr, nullptr);
      delete failed;
      if (taken.bad()) fail_with(peer, "C-GET", taken);
    }
    count(operations, response);
    if (response.DimseStatus == STATUS_GET_Pending_SubOperationsAreContinuing) continue;
    judge(operations.done, peer, "C-GET", response.DimseStatus);
    if (!complaint.empty()) operations.done.complaint = complaint;
    return operations.done;
  }
}

}  // namespace isocenter::detail::dicom
