#include "normalized.hpp"

#include <dcmtk/dcmdata/dcistrmb.h>
#include <dcmtk/dcmdata/dcxfer.h>

#include <isocenter/error.hpp>

#include "memory_stream.hpp"
#include "nesting.hpp"

namespace isocenter::detail::dicom {
namespace {

struct Answer {
  std::uint16_t status = 0, to = 0;
  bool data_set = false;
};

template <class Response>
Answer answer_of(const Response& response) {
  return {response.DimseStatus, response.MessageIDBeingRespondedTo, response.DataSetType != DIMSE_DATASET_NULL};
}

/// Whether `message` answers `request`; its status then.
bool answers(const T_DIMSE_Message& request, const T_DIMSE_Message& message, Answer& answer) {
  if (message.CommandField != (static_cast<unsigned>(request.CommandField) | 0x8000U)) return false;  // PS3.7 E.1
  switch (request.CommandField) {
    case DIMSE_N_ACTION_RQ:
      answer = answer_of(message.msg.NActionRSP);
      return answer.to == request.msg.NActionRQ.MessageID;
    case DIMSE_N_CREATE_RQ:
      answer = answer_of(message.msg.NCreateRSP);
      return answer.to == request.msg.NCreateRQ.MessageID;
    case DIMSE_N_SET_RQ:
      answer = answer_of(message.msg.NSetRSP);
      return answer.to == request.msg.NSetRQ.MessageID;
    default:
      return false;
  }
}

}  // namespace

std::unique_ptr<DcmDataset> receive_data_set(T_ASC_Association* association, const Peer& peer,
                                             const std::string& what) {
  std::vector<std::uint8_t> bytes;
  MemoryConsumer consumer(bytes, longest_answer);
  MemoryStream into(&consumer);
  T_ASC_PresentationContextID context = 0;
  const OFCondition received =
      DIMSE_receiveDataSetInFile(association, DIMSE_NONBLOCKING, peer.timeout_s, &context, &into, nullptr, nullptr);
  if (received.bad()) fail_with(peer, what, received);
  if (!consumer.complete())
    throw Failure(ErrorCode::bad_data,
                  peer.name() + ": " + what + " failed: it sent a data set of more than " +
                      std::to_string(longest_answer >> 20U) + " MiB",
                  "ask for less at once");
  T_ASC_PresentationContext accepted{};
  if (ASC_findAcceptedPresentationContext(association->params, context, &accepted).bad())
    throw Failure(ErrorCode::bad_data,
                  peer.name() + ": " + what + " failed: it sent a data set in a context that was not accepted",
                  "look into the peer's log");
  try {
    require_shallow(bytes, accepted.acceptedTransferSyntax);
  } catch (const Error& e) {
    throw Error(e.code(), peer.name() + ": " + what + " failed: " + e.what());
  }
  DcmInputBufferStream stream;
  stream.setBuffer(bytes.data(), static_cast<offile_off_t>(bytes.size()));
  stream.setEos();
  auto data_set = std::make_unique<DcmDataset>();
  data_set->transferInit();
  const OFCondition read = data_set->read(stream, DcmXfer(accepted.acceptedTransferSyntax).getXfer());
  data_set->transferEnd();
  if (read.bad() && read != EC_EndOfStream) fail_with(peer, what, read);
  return data_set;
}

std::uint16_t exchange(Association& association, T_ASC_PresentationContextID context, T_DIMSE_Message& request,
                       DcmDataset& data_set, const std::string& what) {
  const Peer& peer = association.peer();
  const OFCondition sent =
      DIMSE_sendMessageUsingMemoryData(association.get(), context, &request, nullptr, &data_set, nullptr, nullptr);
  if (sent.bad()) fail_with(peer, what, sent);
  hurry(association.get());
  T_DIMSE_Message message{};
  T_ASC_PresentationContextID on = 0;
  DcmDataset* detail = nullptr;
  const OFCondition received =
      DIMSE_receiveCommand(association.get(), DIMSE_NONBLOCKING, peer.timeout_s, &on, &message, &detail);
  const std::unique_ptr<DcmDataset> owned(detail);
  if (received.bad()) fail_with(peer, what, received);
  Answer answer;
  if (!answers(request, message, answer))
    throw Failure(ErrorCode::bad_data, peer.name() + ": " + what + " failed: it sent another message than the answer",
                  "look into the peer's log");
  if (answer.data_set) receive_data_set(association.get(), peer, what);
  return answer.status;
}

}  // namespace isocenter::detail::dicom
