#include "message.hpp"

#include <dcmtk/dcmdata/dcistrmb.h>
#include <dcmtk/dcmdata/dcxfer.h>

#include <isocenter/error.hpp>

#include "memory_stream.hpp"
#include "nesting.hpp"

namespace isocenter::detail::dicom {

void send(Association& association, T_ASC_PresentationContextID context, T_DIMSE_Message& request, DcmDataset* data_set,
          const std::string& what) {
  const OFCondition sent =
      DIMSE_sendMessageUsingMemoryData(association.get(), context, &request, nullptr, data_set, nullptr, nullptr);
  if (sent.bad()) fail_with(association.peer(), what, sent);
}

T_DIMSE_Message receive(T_ASC_Association* association, const Peer& peer, T_ASC_PresentationContextID& on,
                        const std::string& what) {
  hurry(association);
  T_DIMSE_Message message{};
  DcmDataset* detail = nullptr;
  const OFCondition received =
      DIMSE_receiveCommand(association, DIMSE_NONBLOCKING, peer.timeout_s, &on, &message, &detail);
  delete detail;
  if (received.bad()) fail_with(association, peer, what, received);
  return message;
}

std::unique_ptr<DcmDataset> receive_data_set(T_ASC_Association* association, const Peer& peer,
                                             const std::string& what) {
  std::vector<std::uint8_t> bytes;
  MemoryConsumer consumer(bytes, longest_answer);
  MemoryStream into(&consumer);
  T_ASC_PresentationContextID context = 0;
  const OFCondition received =
      DIMSE_receiveDataSetInFile(association, DIMSE_NONBLOCKING, peer.timeout_s, &context, &into, nullptr, nullptr);
  if (received.bad()) fail_with(association, peer, what, received);
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

void fail_with_other_message(const Peer& peer, const std::string& what, const char* wanted) {
  throw Failure(ErrorCode::bad_data, peer.name() + ": " + what + " failed: it sent another message than " + wanted,
                "look into the peer's log");
}

}  // namespace isocenter::detail::dicom
