#include "commitment.hpp"

#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcsequen.h>
#include <dcmtk/dcmdata/dcuid.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <isocenter/error.hpp>
#include <map>
#include <optional>

#include "../uid.hpp"
#include "message.hpp"
#include "normalized.hpp"
#include "transport.hpp"

namespace isocenter::detail::dicom {
namespace {

constexpr const char* what = "storage commitment";
const char* const commitment_class = UID_StorageCommitmentPushModelSOPClass;
const char* const commitment_instance = UID_StorageCommitmentPushModelSOPInstance;  // well-known, PS3.4 J.3.5
constexpr DIC_US request_commitment = 1;                                            // action type, PS3.4 J.3.2
constexpr std::uint16_t processing_failure = 0x0110;
constexpr std::size_t most_early_reports = 1000;  ///< before the answer to a request

/// UID of an instance and why it is not committed; empty for committed.
using Verdicts = std::map<std::string, std::string>;

std::string value_of(DcmItem& item, const DcmTagKey& tag) {
  OFString value;
  item.findAndGetOFString(tag, value);
  return {value.c_str(), value.size()};
}

/// FailureReason (0008,1197), PS3.3 section C.14.1.1.
std::string reason_text(std::uint16_t reason) {
  char number[16];
  std::snprintf(number, sizeof number, "0x%04x", static_cast<unsigned>(reason));
  const auto words = [&] {
    switch (reason) {
      case 0x0110:
        return "processing failure";
      case 0x0112:
        return "no such object instance";
      case 0x0213:
        return "resource limitation";
      case 0x0122:
        return "referenced SOP class not supported";
      case 0x0119:
        return "class and instance do not go together";
      case 0x0131:
        return "duplicate transaction UID";
      default:
        return "a reason of the peer's own";
    }
  };
  return std::string(number) + ", " + words();
}

Verdicts verdicts_of(DcmDataset& report) {
  Verdicts verdicts;
  DcmSequenceOfItems* sequence = nullptr;
  if (report.findAndGetSequence(DCM_ReferencedSOPSequence, sequence).good())
    for (unsigned long i = 0; i < sequence->card(); ++i)
      verdicts[value_of(*sequence->getItem(i), DCM_ReferencedSOPInstanceUID)] = "";
  sequence = nullptr;
  if (report.findAndGetSequence(DCM_FailedSOPSequence, sequence).good())  // also said to be committed: not believed
    for (unsigned long i = 0; i < sequence->card(); ++i) {
      Uint16 reason = processing_failure;
      sequence->getItem(i)->findAndGetUint16(DCM_FailureReason, reason);
      verdicts[value_of(*sequence->getItem(i), DCM_ReferencedSOPInstanceUID)] =
          "the peer answered " + reason_text(reason);
    }
  return verdicts;
}

/// What a report says of these instances. Of a request that a later one follows only what it commits counts: the later
/// one asks for the rest, too. `all`: the request named each of them.
Commitment judge(const Verdicts& verdicts, const std::vector<InstanceName>& instances, bool latest, bool all) {
  Commitment result;
  for (const InstanceName& instance : instances) {
    const auto verdict = verdicts.find(instance.sop_instance_uid);
    if (verdict == verdicts.end() && !all) continue;
    if (verdict == verdicts.end())
      result.failed.push_back({instance.sop_instance_uid, "the peer's report does not name it"});
    else if (verdict->second.empty())
      result.committed.push_back(instance.sop_instance_uid);
    else if (latest)
      result.failed.push_back({instance.sop_instance_uid, verdict->second});
  }
  return result;
}

/// What we wait for a report on, and who takes it.
struct Wait {
  const Peer& peer;
  const std::vector<InstanceName>& instances;
  CommitmentRequests& requests;
  const TakeCommitment& take;
  bool here = false;     ///< a request of this call is underway, not only one of a process before
  bool refused = false;  ///< `take` threw
};

/// Reads one N-EVENT-REPORT-RQ, hands on what it says when that is about a request of ours, and answers it. Whether
/// there is nothing more to wait for: it was about the latest one, or settled all that was open.
bool take_report(Wait& wait, T_ASC_Association* association, T_ASC_PresentationContextID context,
                 const T_DIMSE_N_EventReportRQ& report) {
  bool ours = false, latest = false, open = true;
  if (report.DataSetType != DIMSE_DATASET_NULL) {
    const auto data_set = receive_data_set(association, wait.peer, what);
    const std::string transaction = value_of(*data_set, DCM_TransactionUID);
    ours = wait.requests.has(transaction);
    latest = wait.requests.is_latest(transaction);
    wait.refused = true;
    if (ours) open = wait.take(judge(verdicts_of(*data_set), wait.instances, latest, latest && wait.here));
    wait.refused = false;
    if (latest) wait.requests.clear();
  }
  T_DIMSE_Message message{};
  message.CommandField = DIMSE_N_EVENT_REPORT_RSP;
  T_DIMSE_N_EventReportRSP& response = message.msg.NEventReportRSP;
  response.MessageIDBeingRespondedTo = report.MessageID;
  response.DimseStatus = ours ? std::uint16_t{STATUS_Success} : processing_failure;
  response.DataSetType = DIMSE_DATASET_NULL;
  response.EventTypeID = report.EventTypeID;
  OFStandard::strlcpy(response.AffectedSOPClassUID, report.AffectedSOPClassUID, sizeof response.AffectedSOPClassUID);
  OFStandard::strlcpy(response.AffectedSOPInstanceUID, report.AffectedSOPInstanceUID,
                      sizeof response.AffectedSOPInstanceUID);
  response.opts =
      O_NEVENTREPORT_AFFECTEDSOPCLASSUID | O_NEVENTREPORT_AFFECTEDSOPINSTANCEUID | O_NEVENTREPORT_EVENTTYPEID;
  const OFCondition sent =
      DIMSE_sendMessageUsingMemoryData(association, context, &message, nullptr, nullptr, nullptr, nullptr);
  if (sent.bad() && !ours) fail_with(wait.peer, what, sent);
  return latest || !open;
}

/// Where the peer may come back to with its report.
class ReportPort {
 public:
  ReportPort(const Peer& peer, int port) : peer_(peer) {
    use_dcmnet();
    Transport transport = make_transport(peer.tls, NET_ACCEPTOR);
    const OFCondition opened = ASC_initializeNetwork(NET_ACCEPTOR, port, peer.timeout_s, &network_);
    if (opened.bad())
      throw Failure(ErrorCode::io_error, "port " + std::to_string(port) + " cannot be listened at: " + opened.text(),
                    "choose a free port as listen_port, the one at which the peer knows us");
    ASC_setTransportLayer(network_, transport.release(), 1);
  }
  ReportPort(const ReportPort&) = delete;
  ReportPort& operator=(const ReportPort&) = delete;
  ~ReportPort() { ASC_dropNetwork(&network_); }

  /// Takes one association when one comes within a second. Whoever else calls, or breaks off, is let go. Whether there
  /// is nothing more to wait for.
  bool look(Wait& wait) {
    T_ASC_Association* association = nullptr;
    const OFCondition came = ASC_receiveAssociation(network_, &association, 131072, nullptr, nullptr,
                                                    peer_.tls.enabled() ? OFTrue : OFFalse, DUL_NOBLOCK, 1);
    bool taken = false;
    if (came.good()) {
      try {
        hold(wait, association, taken);
      } catch (const Error&) {
        ASC_abortAssociation(association);
        if (wait.refused) {
          drop(association);
          throw;
        }
      }
    }
    if (association != nullptr) drop(association);
    return taken;
  }

 private:
  bool negotiate(T_ASC_Association* association) {
    char calling[20] = {}, called[20] = {};
    ASC_getAPTitles(association->params, calling, sizeof calling, called, sizeof called, nullptr, 0);
    if (peer_.calling_ae != called) {
      const T_ASC_RejectParameters reject{ASC_RESULT_REJECTEDPERMANENT, ASC_SOURCE_SERVICEUSER,
                                          ASC_REASON_SU_CALLEDAETITLENOTRECOGNIZED};
      ASC_rejectAssociation(association, &reject);
      return false;
    }
    const int count = ASC_countPresentationContexts(association->params);
    for (int i = 0; i < count; ++i) {
      T_ASC_PresentationContext proposed{};
      if (ASC_getPresentationContext(association->params, i, &proposed).bad()) continue;
      const char* chosen = nullptr;
      for (int k = 0; k < proposed.transferSyntaxCount; ++k)
        for (const std::string& syntax : uncompressed_syntaxes())
          if (chosen == nullptr && syntax == proposed.proposedTransferSyntaxes[k])
            chosen = proposed.proposedTransferSyntaxes[k];
      if (chosen == nullptr || std::string(proposed.abstractSyntax) != commitment_class)
        ASC_refusePresentationContext(
            association->params, proposed.presentationContextID,
            chosen == nullptr ? ASC_P_TRANSFERSYNTAXESNOTSUPPORTED : ASC_P_ABSTRACTSYNTAXNOTSUPPORTED);
      else  // the peer stays the provider although it opens the association (PS3.4 J.3.3.1)
        ASC_acceptPresentationContext(association->params, proposed.presentationContextID, chosen,
                                      proposed.proposedRole);
    }
    return ASC_acknowledgeAssociation(association).good();
  }

  static void drop(T_ASC_Association* association) {
    ASC_dropAssociation(association);
    ASC_destroyAssociation(&association);
  }

  void hold(Wait& wait, T_ASC_Association* association, bool& taken) {
    if (!negotiate(association)) return;
    for (;;) {
      T_DIMSE_Message message{};
      T_ASC_PresentationContextID context = 0;
      DcmDataset* detail = nullptr;
      const OFCondition received =
          DIMSE_receiveCommand(association, DIMSE_NONBLOCKING, peer_.timeout_s, &context, &message, &detail);
      delete detail;
      if (received == DUL_PEERREQUESTEDRELEASE) {
        ASC_acknowledgeRelease(association);
        return;
      }
      if (received.bad() || message.CommandField != DIMSE_N_EVENT_REPORT_RQ) {
        ASC_abortAssociation(association);
        return;
      }
      taken = take_report(wait, association, context, message.msg.NEventReportRQ) || taken;
    }
  }

  const Peer& peer_;
  T_ASC_Network* network_ = nullptr;
};

/// Reports may come before the answer, even the one on this request. Whether there is nothing more to wait for.
bool request(Wait& wait, Association& association, const std::string& transaction) {
  const std::vector<InstanceName>& instances = wait.instances;
  const T_ASC_PresentationContextID context = association.require_context(commitment_class, what);
  DcmDataset data_set;
  data_set.putAndInsertString(DCM_TransactionUID, transaction.c_str());
  for (std::size_t i = 0; i < instances.size(); ++i) {
    DcmItem* item = nullptr;
    data_set.findOrCreateSequenceItem(DCM_ReferencedSOPSequence, item, -2);
    if (item == nullptr)
      throw Failure(ErrorCode::out_of_memory, "no memory for the storage commitment request",
                    "ask for fewer instances");
    item->putAndInsertString(DCM_ReferencedSOPClassUID, instances[i].sop_class.c_str());
    item->putAndInsertString(DCM_ReferencedSOPInstanceUID, instances[i].sop_instance_uid.c_str());
  }
  T_DIMSE_Message message{};
  message.CommandField = DIMSE_N_ACTION_RQ;
  T_DIMSE_N_ActionRQ& action = message.msg.NActionRQ;
  action.MessageID = association.next_message();
  action.DataSetType = DIMSE_DATASET_PRESENT;
  action.ActionTypeID = request_commitment;
  OFStandard::strlcpy(action.RequestedSOPClassUID, commitment_class, sizeof action.RequestedSOPClassUID);
  OFStandard::strlcpy(action.RequestedSOPInstanceUID, commitment_instance, sizeof action.RequestedSOPInstanceUID);
  bool taken = false;
  std::size_t reports = 0;
  const auto meanwhile = [&](T_ASC_PresentationContextID on, const T_DIMSE_Message& came) {
    if (came.CommandField != DIMSE_N_EVENT_REPORT_RQ || ++reports > most_early_reports) return false;
    taken = take_report(wait, association.get(), on, came.msg.NEventReportRQ) || taken;
    return true;
  };
  const std::uint16_t status = exchange(association, context, message, data_set, what, meanwhile);
  if (status != STATUS_Success)
    throw Failure(ErrorCode::bad_data,
                  association.peer().name() + ": " + what + " failed: it answered " + status_text(status),
                  "check that the peer offers storage commitment to our AE title, and look into its log");
  return taken;
}

/// Takes a report that came on the association that asked, if there is one; it goes when it ended. Whether there is
/// nothing more to wait for.
bool look(Wait& wait, std::optional<Association>& association, int seconds) {
  if (!association || !ASC_dataWaiting(association->get(), seconds)) return false;
  T_DIMSE_Message message{};
  T_ASC_PresentationContextID context = 0;
  DcmDataset* detail = nullptr;
  const OFCondition received =
      DIMSE_receiveCommand(association->get(), DIMSE_NONBLOCKING, wait.peer.timeout_s, &context, &message, &detail);
  delete detail;
  if (received == DUL_PEERREQUESTEDRELEASE) ASC_acknowledgeRelease(association->get());
  if (received.bad()) {
    association.reset();
    return false;
  }
  if (message.CommandField != DIMSE_N_EVENT_REPORT_RQ) fail_with_other_message(wait.peer, what, "its report");
  return take_report(wait, association->get(), context, message.msg.NEventReportRQ);
}

}  // namespace

void commit(const Peer& peer, const std::vector<InstanceName>& instances, const CommitmentOptions& options,
            CommitmentRequests& requests, const TakeCommitment& take, const std::function<bool()>& cancelled) {
  using Clock = std::chrono::steady_clock;
  if (instances.empty())
    throw Failure(ErrorCode::invalid_argument, "there is no instance to ask a commitment for", "name at least one");
  std::optional<ReportPort> port;
  if (options.listen_port != 0) port.emplace(peer, options.listen_port);  // before the peer can answer
  Wait wait{peer, instances, requests, take};
  std::optional<Association> association;
  const auto in = [](double seconds) {
    return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  };
  const double since = requests.seconds_since_accepted();
  auto until = in(port && since >= 0 ? options.wait_s - since : -1);  // for the report on what was asked for before
  for (;;) {
    bool taken = false;
    if (cancelled())
      throw Failure(ErrorCode::cancelled, "the wait for the storage commitment was cancelled", "ask again");
    if (Clock::now() >= until) {
      if (wait.here) break;
      association.emplace(peer, std::vector<ContextProposal>{{commitment_class, uncompressed_syntaxes()}});
      const std::string transaction = new_uid();
      requests.ask(transaction);
      wait.here = true;
      taken = request(wait, *association, transaction);
      requests.accept();
      until = in(options.wait_s);
    }
    taken = taken || look(wait, association, port ? 0 : 1) || (port && port->look(wait));
    if (taken && association) association->release();
    if (taken) return;
    if (!association && !port) break;
  }
  const std::string reason = association || port ? "no report came within " + std::to_string(options.wait_s) + " s"
                                                 : "it ended the association without a report";
  throw Failure(ErrorCode::io_error, peer.name() + ": " + what + " failed: " + reason,
                "raise wait_s; if the peer reports over an association of its own, give listen_port, and register our "
                "AE title '" +
                    peer.calling_ae + "' with this host and that port at the peer");
}

Commitment commit(const Peer& peer, const std::vector<InstanceName>& instances, const CommitmentOptions& options,
                  const std::function<bool()>& cancelled) {
  CommitmentRequests requests("");
  Commitment result;
  commit(
      peer, instances, options, requests,
      [&](const Commitment& report) {
        result = report;
        return false;
      },
      cancelled);
  return result;
}

}  // namespace isocenter::detail::dicom
