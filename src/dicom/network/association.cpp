#include "association.hpp"

#include <dcmtk/dcmdata/dcdict.h>
#include <dcmtk/dcmdata/dcuid.h>
#include <dcmtk/dcmnet/dcmtrans.h>
#include <dcmtk/oflog/mdc.h>
#include <dcmtk/oflog/oflog.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdio>
#include <isocenter/error.hpp>
#include <mutex>

#include "../uid.hpp"
#include "transport.hpp"

namespace isocenter::detail::dicom {
namespace {

/// OFCondition's words end in line breaks and repeat themselves over lines; messages are one line.
std::string one_line(const OFCondition& condition) {
  std::string text;
  for (const char c : std::string(condition.text())) {
    if (c == '\n' || c == '\r')
      text += text.empty() || text.back() == ' ' ? "" : " ";
    else
      text += c;
  }
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

struct Reason {
  ErrorCode code;
  std::string what, fix;
};

Reason reason_of(const OFCondition& condition) {
  if (condition.module() == OFM_dcmtls)
    return {ErrorCode::io_error, "TLS failed: " + one_line(condition),
            "check that both ends use TLS and that each trusts the other's certificate"};
  switch (condition.code()) {
    case DULC_READTIMEOUT:
      return {ErrorCode::io_error, "it did not answer in time", "check the peer and the network, or raise timeout_s"};
    case DULC_NETWORKCLOSED:
      return {ErrorCode::io_error, "it closed the connection", "look into the peer's log"};
    case DULC_PEERABORTEDASSOCIATION:
      return {ErrorCode::io_error, "it aborted the association", "look into the peer's log"};
    case DULC_PEERREQUESTEDRELEASE:
      return {ErrorCode::io_error, "it released the association too early", "look into the peer's log"};
    case DULC_UNKNOWNHOST:
      return {ErrorCode::not_found, "there is no host of that name", "check the host's name"};
    case DULC_TCPINITERROR:
    case DULC_TCPIOERROR:
    case DULC_REQUESTASSOCIATIONFAILED:
      return {ErrorCode::io_error, "no connection: " + one_line(condition),
              "check host and port, that the peer is running, and that TLS is on at both ends or at none"};
    case DIMSEC_SENDFAILED:
    case DIMSEC_RECEIVEFAILED:
    case DIMSEC_READPDVFAILED:
      return {ErrorCode::io_error, "the connection broke: " + one_line(condition), "look into the peer's log"};
    default:
      break;
  }
  if (condition == DIMSE_NODATAAVAILABLE) return reason_of(DUL_READTIMEOUT);
  return {ErrorCode::io_error, one_line(condition), "look into the peer's log"};
}

Reason rejection_of(T_ASC_Parameters* parameters, const Peer& peer) {
  T_ASC_RejectParameters reject{};
  ASC_getRejectParameters(parameters, &reject);
  switch (reject.reason) {
    case ASC_REASON_SU_CALLEDAETITLENOTRECOGNIZED:
      return {ErrorCode::invalid_argument, "it is not called '" + peer.called_ae + "'",
              "give the AE title that the peer has as called_ae"};
    case ASC_REASON_SU_CALLINGAETITLENOTRECOGNIZED:
      return {ErrorCode::invalid_argument, "it does not know '" + peer.calling_ae + "'",
              "register our AE title at the peer, or give one that it knows as calling_ae"};
    case ASC_REASON_SP_PRES_TEMPORARYCONGESTION:
    case ASC_REASON_SP_PRES_LOCALLIMITEXCEEDED:
      return {ErrorCode::io_error, "it has too many associations", "try again later"};
    default:
      break;
  }
  OFString text;
  ASC_printRejectParameters(text, &reject);
  std::string line;
  for (const char c : text) line += c == '\n' ? ' ' : c;
  return {ErrorCode::io_error, "it rejected the association (" + line + ")", "look into the peer's log"};
}

[[noreturn]] void fail(const Peer& peer, const std::string& doing, const Reason& reason) {
  throw Failure(reason.code, peer.name() + ": " + doing + " failed: " + reason.what, reason.fix);
}

T_ASC_Network* make_network(const Peer& peer) {
  use_dcmnet();
  require_valid(peer);
  Transport transport = make_transport(peer.tls, NET_REQUESTOR);
  dcmConnectionTimeout.set(peer.timeout_s);
  dcmSocketSendTimeout.set(peer.timeout_s);
  dcmSocketReceiveTimeout.set(peer.timeout_s);
  T_ASC_Network* network = nullptr;
  const OFCondition made = ASC_initializeNetwork(NET_REQUESTOR, 0, peer.timeout_s, &network);
  if (made.bad()) fail(peer, "opening the network", reason_of(made));
  ASC_setTransportLayer(network, transport.release(), 1);
  return network;
}

}  // namespace

std::vector<std::string> uncompressed_syntaxes() {
  return {UID_LittleEndianExplicitTransferSyntax, UID_LittleEndianImplicitTransferSyntax};
}

void use_dcmnet() {
  static std::once_flag once;
  std::call_once(once, [] {
    for (const char* name : {"dcmtk.dcmnet", "dcmtk.dcmtls"}) {
      auto logger = OFLog::getLogger(name);
      logger.setLogLevel(OFLogger::OFF_LOG_LEVEL);
    }
    dcmDisableGethostbyaddr.set(OFTrue);  // a peer's address is enough; a slow name server must not hold us up
  });
  if (!dcmDataDict.isDictionaryLoaded())
    throw Failure(ErrorCode::not_found, "DCMTK found no DICOM data dictionary (dicom.dic)",
                  "install DCMTK's data files (Debian: libdcmtk17), or set the environment variable DCMDICTPATH");
}

QuietThread::QuietThread() { dcmtk::log4cplus::getMDC().put("isocenter", "1"); }
QuietThread::~QuietThread() { dcmtk::log4cplus::getMDC().remove("isocenter"); }

void fail_with(const Peer& peer, const std::string& doing, const OFCondition& condition) {
  fail(peer, doing, reason_of(condition));
}

void fail_with(T_ASC_Association* association, const Peer& peer, const std::string& doing,
               const OFCondition& condition) {
  const std::string refusal = refusal_of(association);
  if (refusal.empty()) fail_with(peer, doing, condition);
  fail(peer, doing, {ErrorCode::bad_data, refusal, "look into the peer's log"});
}

void hurry(T_ASC_Association* association) {
  struct Access : DcmTransportConnection {
    using DcmTransportConnection::getSocket;  // protected, and there is no other way to the socket's options
  };
  DcmTransportConnection* connection = DUL_getTransportConnection(association->DULassociation);
  if (connection == nullptr) return;
  const int socket = (connection->*(&Access::getSocket))();
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(socket, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

Association::Association(const Peer& peer, const std::vector<ContextProposal>& proposals) : peer_(peer) {
  network_ = make_network(peer);
  T_ASC_Parameters* parameters = nullptr;
  ASC_createAssociationParameters(&parameters, std::clamp(peer.max_pdu, 4096L, 131072L));
  ASC_setAPTitles(parameters, peer.calling_ae.c_str(), peer.called_ae.c_str(), nullptr);
  ASC_setPresentationAddresses(parameters, "localhost", (peer.host + ":" + std::to_string(peer.port)).c_str());
  ASC_setTransportLayerType(parameters, peer.tls.enabled() ? OFTrue : OFFalse);
  std::snprintf(parameters->ourImplementationClassUID, sizeof parameters->ourImplementationClassUID, "%s",
                implementation_class_uid);
  std::snprintf(parameters->ourImplementationVersionName, sizeof parameters->ourImplementationVersionName, "ISOCENTER");
  int id = 1;
  for (const ContextProposal& proposal : proposals) {
    std::vector<const char*> syntaxes;
    for (const std::string& syntax : proposal.syntaxes) syntaxes.push_back(syntax.c_str());
    ASC_addPresentationContext(parameters, static_cast<T_ASC_PresentationContextID>(id), proposal.sop_class.c_str(),
                               syntaxes.data(), static_cast<int>(syntaxes.size()),
                               proposal.peer_sends ? ASC_SC_ROLE_SCP : ASC_SC_ROLE_DEFAULT);
    id += 2;
  }
  const OFCondition asked =
      ASC_requestAssociation(network_, parameters, &association_, nullptr, nullptr, DUL_NOBLOCK, peer.timeout_s);
  if (asked.bad()) {
    const Reason reason = asked == DUL_ASSOCIATIONREJECTED ? rejection_of(parameters, peer) : reason_of(asked);
    if (association_ == nullptr) ASC_destroyAssociationParameters(&parameters);
    destroy();
    fail(peer, "opening an association", reason);
  }
  hurry(association_);
  if (ASC_countAcceptedPresentationContexts(association_->params) == 0) {
    ASC_abortAssociation(association_);
    destroy();
    fail(peer, "opening an association",
         {ErrorCode::unsupported,
          "it supports none of the " + std::to_string(proposals.size()) + " SOP classes asked for",
          "check in the peer's conformance statement what it offers to our AE title"});
  }
}

Association::~Association() {
  if (association_ != nullptr) ASC_abortAssociation(association_);
  destroy();
}

void Association::destroy() {
  if (association_ != nullptr) ASC_destroyAssociation(&association_);
  if (network_ != nullptr) ASC_dropNetwork(&network_);
}

T_ASC_PresentationContextID Association::context(const std::string& sop_class, const std::string& syntax) const {
  if (syntax.empty()) return ASC_findAcceptedPresentationContextID(association_, sop_class.c_str());
  const T_ASC_PresentationContextID id =
      ASC_findAcceptedPresentationContextID(association_, sop_class.c_str(), syntax.c_str());
  T_ASC_PresentationContext found{};
  if (id == 0 || ASC_findAcceptedPresentationContext(association_->params, id, &found).bad()) return 0;
  return syntax == found.acceptedTransferSyntax ? id : T_ASC_PresentationContextID{0};
}

T_ASC_PresentationContextID Association::require_context(const std::string& sop_class, const std::string& what) const {
  const T_ASC_PresentationContextID id = context(sop_class);
  if (id == 0)
    fail(peer_, what,
         {ErrorCode::unsupported, "it does not accept SOP class " + sop_class,
          "check in the peer's conformance statement whether it offers that service to our AE title"});
  return id;
}

void Association::echo() {
  DIC_US status = 0;
  DcmDataset* detail = nullptr;
  const OFCondition done =
      DIMSE_echoUser(association_, next_message(), DIMSE_NONBLOCKING, peer_.timeout_s, &status, &detail);
  const std::unique_ptr<DcmDataset> owned(detail);
  if (done.bad()) fail_with(association_, peer_, "C-ECHO", done);
  if (status != STATUS_Success)
    fail(peer_, "C-ECHO", {ErrorCode::bad_data, "it answered " + status_text(status), "look into the peer's log"});
}

void Association::release() {
  if (association_ == nullptr) return;
  ASC_releaseAssociation(association_);
  ASC_destroyAssociation(&association_);
}

std::string status_text(std::uint16_t status) {
  char number[16];
  std::snprintf(number, sizeof number, "0x%04x", static_cast<unsigned>(status));
  const auto words = [&]() -> const char* {
    switch (status) {
      case 0x0000:
        return "success";
      case 0x0110:
        return "processing failure";
      case 0x0111:
        return "duplicate SOP instance";
      case 0x0112:
        return "no such SOP instance";
      case 0x0122:
        return "SOP class not supported";
      case 0x0124:
        return "not authorised";
      case 0xa701:
        return "out of resources: cannot count the matches";
      case 0xa702:
        return "out of resources: cannot perform sub-operations";
      case 0xa801:
        return "move destination unknown";
      case 0xb000:
        return "coercion of data elements, or some sub-operations failed";
      case 0xb006:
        return "elements discarded";
      case 0xb007:
        return "data set does not match SOP class (kept)";
      case 0xfe00:
        return "cancelled";
      default:
        break;
    }
    if ((status & 0xff00U) == 0xa700U) return "out of resources";
    if ((status & 0xff00U) == 0xa900U) return "data set does not match SOP class";
    if ((status & 0xf000U) == 0xc000U) return "cannot understand or process";
    return "see the peer's conformance statement";
  }();
  return std::string(number) + ", " + words;
}

}  // namespace isocenter::detail::dicom
