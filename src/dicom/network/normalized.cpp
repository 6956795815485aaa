#include "normalized.hpp"

#include "message.hpp"

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

std::uint16_t exchange(Association& association, T_ASC_PresentationContextID context, T_DIMSE_Message& request,
                       DcmDataset& data_set, const std::string& what, const Meanwhile& meanwhile) {
  const Peer& peer = association.peer();
  send(association, context, request, &data_set, what);
  T_ASC_PresentationContextID on = 0;
  Answer answer;
  for (;;) {
    const T_DIMSE_Message message = receive(association.get(), peer, on, what);
    if (answers(request, message, answer)) break;
    if (!meanwhile || !meanwhile(on, message)) fail_with_other_message(peer, what, "the answer");
  }
  if (answer.data_set) receive_data_set(association.get(), peer, what);
  return answer.status;
}

}  // namespace isocenter::detail::dicom
