#include "conversation.hpp"

#include <dcmtk/dcmdata/dcuid.h>
#include <dcmtk/dcmdata/dcxfer.h>
#include <dcmtk/dcmnet/diutil.h>

#include <cstdio>
#include <isocenter/error.hpp>

#include "../uid.hpp"
#include "association.hpp"
#include "memory_stream.hpp"
#include "transport.hpp"

namespace isocenter::detail::dicom {
namespace {

std::string printable(const char* text) {
  std::string out;
  for (; *text != '\0'; ++text) out += *text >= ' ' && *text <= '~' ? *text : '?';
  return out;
}

std::uint16_t status_of(const Error& error) {
  switch (error.code()) {
    case ErrorCode::io_error:
    case ErrorCode::out_of_memory:
      return 0xa700;  // out of resources: the peer may try again
    case ErrorCode::invalid_state:
      return 0x0111;  // duplicate SOP instance
    case ErrorCode::bad_data:
      return 0xa900;  // data set does not match SOP class
    default:
      return 0xc000;
  }
}

/// Whether its data sets can be judged before they are parsed: not when they are deflated.
bool is_acceptable(const char* transfer_syntax) {
  const DcmXfer syntax(transfer_syntax);
  return syntax.getXfer() != EXS_Unknown && syntax.getStreamCompression() == ESC_none;
}

}  // namespace

bool is_storage_class(const std::string& sop_class) {
  if (sop_class.rfind("1.2.840.10008.5.1.4.1.1.", 0) == 0) return true;
  for (int i = 0; i < numberOfDcmAllStorageSOPClassUIDs; ++i)
    if (sop_class == dcmAllStorageSOPClassUIDs[i]) return true;
  return false;
}

Conversation::Conversation(Listener& listener, T_ASC_Association* association, std::uint64_t number)
    : listener_(listener), association_(association), number_(number) {
  char calling[20] = {}, called[20] = {}, address[80] = {};
  ASC_getAPTitles(association_->params, calling, sizeof calling, called, sizeof called, nullptr, 0);
  ASC_getPresentationAddresses(association_->params, address, sizeof address, nullptr, 0);
  calling_ae_ = printable(calling);
  called_ae_ = printable(called);
  address_ = printable(address);
}

void Conversation::tell(ListenerEvent::Kind kind, const std::string& what) {
  ListenerEvent event;
  event.kind = kind;
  event.text = (calling_ae_.empty() ? std::string("a peer") : calling_ae_) + " at " + address_ + ": " + what;
  listener_.tell(std::move(event));
}

void Conversation::reject(T_ASC_RejectParametersReason reason, const std::string& why) {
  const T_ASC_RejectParameters parameters{ASC_RESULT_REJECTEDPERMANENT, ASC_SOURCE_SERVICEUSER, reason};
  ASC_rejectAssociation(association_, &parameters);
  tell(ListenerEvent::Kind::association_failed, why);
}

void Conversation::accept_contexts() {
  const int count = ASC_countPresentationContexts(association_->params);
  for (int i = 0; i < count; ++i) {
    T_ASC_PresentationContext proposed{};
    if (ASC_getPresentationContext(association_->params, i, &proposed).bad()) continue;
    const std::string sop_class = proposed.abstractSyntax;
    if (sop_class != UID_VerificationSOPClass && !is_storage_class(sop_class)) {
      ASC_refusePresentationContext(association_->params, proposed.presentationContextID,
                                    ASC_P_ABSTRACTSYNTAXNOTSUPPORTED);
      continue;
    }
    const char* chosen = nullptr;
    for (int k = 0; k < proposed.transferSyntaxCount && chosen == nullptr; ++k)
      if (is_acceptable(proposed.proposedTransferSyntaxes[k])) chosen = proposed.proposedTransferSyntaxes[k];
    if (chosen == nullptr)
      ASC_refusePresentationContext(association_->params, proposed.presentationContextID,
                                    ASC_P_TRANSFERSYNTAXESNOTSUPPORTED);
    else
      ASC_acceptPresentationContext(association_->params, proposed.presentationContextID, chosen);
  }
}

bool Conversation::negotiate() {
  char application[DUL_LEN_NAME + 1] = {};
  const OFCondition named = ASC_getApplicationContextName(association_->params, application, sizeof application);
  if (named.bad() || application[0] == '\0') {
    ASC_abortAssociation(association_);
    tell(ListenerEvent::Kind::association_failed, "it connected and asked for no association of DICOM's");
    return false;
  }
  if (std::string(application) != UID_StandardApplicationContext) {
    reject(ASC_REASON_SU_APPCONTEXTNAMENOTSUPPORTED, "rejected: it asked for another application context than DICOM's");
    return false;
  }
  const ListenerOptions& options = listener_.options_;
  if (!options.any_called_ae && called_ae_ != options.ae_title) {
    reject(ASC_REASON_SU_CALLEDAETITLENOTRECOGNIZED,
           "rejected: it called '" + called_ae_ + "', and we are '" + options.ae_title + "'");
    return false;
  }
  bool known = options.calling_aes.empty();
  for (const std::string& title : options.calling_aes) known = known || title == calling_ae_;
  if (!known) {
    reject(ASC_REASON_SU_CALLINGAETITLENOTRECOGNIZED, "rejected: its AE title is not among calling_aes");
    return false;
  }
  accept_contexts();
  std::snprintf(association_->params->ourImplementationClassUID, sizeof association_->params->ourImplementationClassUID,
                "%s", implementation_class_uid);
  std::snprintf(association_->params->ourImplementationVersionName,
                sizeof association_->params->ourImplementationVersionName, "ISOCENTER");
  const OFCondition acknowledged = ASC_acknowledgeAssociation(association_);
  if (acknowledged.bad()) {
    tell(ListenerEvent::Kind::association_failed, "it went away while the association was accepted");
    return false;
  }
  if (ASC_countAcceptedPresentationContexts(association_->params) == 0)
    tell(ListenerEvent::Kind::refused, "none of the SOP classes and transfer syntaxes that it proposed is supported");
  return true;
}

bool Conversation::wait_for_message() {
  hurry(association_);
  for (int waited = 0; waited < listener_.options_.timeout_s; ++waited) {
    if (listener_.stopping_) {
      ASC_abortAssociation(association_);
      return false;
    }
    if (ASC_dataWaiting(association_, 1)) return true;
  }
  ASC_abortAssociation(association_);
  tell(ListenerEvent::Kind::association_failed,
       "it was silent for " + std::to_string(listener_.options_.timeout_s) + " s; the association was aborted");
  return false;
}

void Conversation::hold() {
  if (!negotiate()) return;
  while (wait_for_message()) {
    T_ASC_PresentationContextID context = 0;
    T_DIMSE_Message message{};
    DcmDataset* detail = nullptr;
    const OFCondition received = DIMSE_receiveCommand(association_, DIMSE_NONBLOCKING, listener_.options_.timeout_s,
                                                      &context, &message, &detail);
    delete detail;
    if (received == DUL_PEERREQUESTEDRELEASE) {
      ASC_acknowledgeRelease(association_);
      return;
    }
    if (received.bad()) {
      const bool gone = received == DUL_PEERABORTEDASSOCIATION || received == DUL_NETWORKCLOSED;
      if (!gone) ASC_abortAssociation(association_);
      const std::string refusal = refusal_of(association_);
      tell(ListenerEvent::Kind::association_failed,
           received == DUL_PEERABORTEDASSOCIATION ? "it aborted the association"
           : !refusal.empty()                     ? refusal + "; the association was aborted"
           : received == DUL_NETWORKCLOSED        ? "it closed the connection without a release"
                                                  : std::string("a message could not be read: ") + received.text());
      return;
    }
    if (!answer(context, message)) return;
  }
}

bool Conversation::answer(T_ASC_PresentationContextID context, T_DIMSE_Message& message) {
  OFCondition done = EC_Normal;
  if (message.CommandField == DIMSE_C_ECHO_RQ) {
    done = DIMSE_sendEchoResponse(association_, context, &message.msg.CEchoRQ, STATUS_Success, nullptr);
  } else if (message.CommandField == DIMSE_C_STORE_RQ) {
    done = store(context, message.msg.CStoreRQ);
  } else {
    ASC_abortAssociation(association_);
    char number[16];
    std::snprintf(number, sizeof number, "0x%04x", static_cast<unsigned>(message.CommandField));
    tell(ListenerEvent::Kind::association_failed,
         std::string("it sent command ") + number +
             ", which is neither C-ECHO nor C-STORE; the association was aborted");
    return false;
  }
  if (done.good()) return true;
  ASC_abortAssociation(association_);
  const std::string refusal = refusal_of(association_);
  tell(ListenerEvent::Kind::association_failed,
       "the association broke within a message: " + (refusal.empty() ? std::string(done.text()) : refusal));
  return false;
}

OFCondition Conversation::store(T_ASC_PresentationContextID context, const T_DIMSE_C_StoreRQ& request) {
  data_set_.clear();
  MemoryConsumer consumer(data_set_, listener_.options_.max_instance_bytes);
  MemoryStream stream(&consumer);
  T_ASC_PresentationContextID data_context = 0;
  const OFCondition received = DIMSE_receiveDataSetInFile(association_, DIMSE_NONBLOCKING, listener_.options_.timeout_s,
                                                          &data_context, &stream, nullptr, nullptr);
  const bool complete = consumer.complete();
  if (received.bad()) return received;
  T_DIMSE_C_StoreRSP response{};
  response.MessageIDBeingRespondedTo = request.MessageID;
  response.DataSetType = DIMSE_DATASET_NULL;
  OFStandard::strlcpy(response.AffectedSOPClassUID, request.AffectedSOPClassUID, sizeof response.AffectedSOPClassUID);
  OFStandard::strlcpy(response.AffectedSOPInstanceUID, request.AffectedSOPInstanceUID,
                      sizeof response.AffectedSOPInstanceUID);
  response.opts = O_STORE_AFFECTEDSOPCLASSUID | O_STORE_AFFECTEDSOPINSTANCEUID;
  T_ASC_PresentationContext negotiated{};
  ASC_findAcceptedPresentationContext(association_->params, context, &negotiated);
  if (!complete) {
    tell(ListenerEvent::Kind::refused, "an instance was refused: it has more than " +
                                           std::to_string(listener_.options_.max_instance_bytes) +
                                           " bytes (max_instance_mib), or memory is exhausted");
    response.DimseStatus = 0xa700;
  } else if (data_context != context) {
    tell(ListenerEvent::Kind::refused, "an instance was refused: its data set has another presentation context");
    response.DimseStatus = 0xc000;
  } else {
    response.DimseStatus = keep(request, negotiated.acceptedTransferSyntax);
  }
  return DIMSE_sendStoreResponse(association_, context, &request, &response, nullptr);
}

std::uint16_t Conversation::keep(const T_DIMSE_C_StoreRQ& request, const std::string& syntax) {
  try {
    const InstanceName name = name_of(data_set_, syntax);
    if (name.sop_instance_uid != request.AffectedSOPInstanceUID || name.sop_class != request.AffectedSOPClassUID)
      throw Failure(ErrorCode::bad_data,
                    "the command's AffectedSOPInstanceUID (0000,1000) = " + printable(request.AffectedSOPInstanceUID) +
                        " is not the data set's SOPInstanceUID (0008,0018) = " + name.sop_instance_uid +
                        ", or their SOP classes differ",
                    "have the sender name the instance that it sends");
    const Inbox::Accepted accepted = listener_.inbox_.accept(name, calling_ae_, data_set_);
    if (accepted.already_there) return STATUS_Success;
    ++listener_.accepted_;
    ListenerEvent event;
    event.kind = ListenerEvent::Kind::instance;
    event.path = accepted.path;
    event.name = name;
    {
      const std::lock_guard lock(listener_.mutex_);
      listener_.watch_.arrived(name, number_, SeriesWatch::Clock::now());
    }
    listener_.tell(std::move(event));
    return STATUS_Success;
  } catch (const Error& e) {
    tell(ListenerEvent::Kind::refused, std::string("an instance was refused: ") + e.what());
    return status_of(e);
  } catch (const std::bad_alloc&) {
    tell(ListenerEvent::Kind::refused, "an instance was refused: memory is exhausted");
    return 0xa700;
  }
}

}  // namespace isocenter::detail::dicom
