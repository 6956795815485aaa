#include "service_peer.hpp"

#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcsequen.h>
#include <dcmtk/dcmdata/dcuid.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "dicom/network/association.hpp"
#include "dicom/network/transport.hpp"
#include "network_test.hpp"

namespace isocenter::test {

ServicePeer::ServicePeer(std::vector<std::string> sop_classes, Handler handler, const detail::dicom::TlsFiles& tls,
                         int port)
    : sop_classes_(std::move(sop_classes)),
      handler_(std::move(handler)),
      secure_(tls.enabled()),
      port_(port == 0 ? free_port() : port) {
  if (ASC_initializeNetwork(NET_ACCEPTOR, port_, 5, &network_).bad()) throw std::runtime_error("ServicePeer");
  if (secure_) ASC_setTransportLayer(network_, detail::dicom::make_transport(tls, NET_ACCEPTOR).release(), 1);
  thread_ = std::thread([this] { serve(); });
}

ServicePeer::~ServicePeer() {
  stopping_ = true;
  thread_.join();
  ASC_dropNetwork(&network_);
}

void ServicePeer::serve() {
  while (!stopping_) {
    T_ASC_Association* association = nullptr;
    if (ASC_receiveAssociation(network_, &association, 16384, nullptr, nullptr, secure_ ? OFTrue : OFFalse, DUL_NOBLOCK,
                               1)
            .good())
      hold(association);
    if (association == nullptr) continue;
    ASC_dropAssociation(association);
    ASC_destroyAssociation(&association);
  }
}

void ServicePeer::hold(T_ASC_Association* association) {
  std::vector<const char*> classes;
  for (const std::string& sop_class : sop_classes_) classes.push_back(sop_class.c_str());
  const char* syntax = UID_LittleEndianImplicitTransferSyntax;
  ASC_acceptContextsWithPreferredTransferSyntaxes(association->params, classes.data(), static_cast<int>(classes.size()),
                                                  &syntax, 1);
  if (ASC_acknowledgeAssociation(association).bad()) return;
  while (!stopping_) {
    if (!ASC_dataWaiting(association, 1)) continue;
    T_DIMSE_Message message{};
    T_ASC_PresentationContextID context = 0, data_context = 0;
    DcmDataset* detail = nullptr;
    const OFCondition received = DIMSE_receiveCommand(association, DIMSE_NONBLOCKING, 5, &context, &message, &detail);
    delete detail;
    if (received == DUL_PEERREQUESTEDRELEASE) ASC_acknowledgeRelease(association);
    if (received.bad()) return;
    DcmDataset* data_set = nullptr;
    const bool request = message.CommandField == DIMSE_N_ACTION_RQ || message.CommandField == DIMSE_N_CREATE_RQ ||
                         message.CommandField == DIMSE_N_SET_RQ || message.CommandField == DIMSE_C_STORE_RQ ||
                         message.CommandField == DIMSE_C_FIND_RQ;
    if (request &&
        DIMSE_receiveDataSetInMemory(association, DIMSE_NONBLOCKING, 5, &data_context, &data_set, nullptr, nullptr)
            .bad())
      return;
    const std::unique_ptr<DcmDataset> owned(data_set);
    if (request) handler_(association, context, message, data_set);
  }
}

void send_message(T_ASC_Association* association, T_ASC_PresentationContextID context, T_DIMSE_Message message,
                  DcmDataset* data_set) {
  if (DIMSE_sendMessageUsingMemoryData(association, context, &message, nullptr, data_set, nullptr, nullptr).bad())
    ADD_FAILURE() << "the test's peer could not send";
}

namespace {

template <class Response, class Request>
void address(Response& response, const Request& request, std::uint16_t status, bool data_set = false) {
  response.MessageIDBeingRespondedTo = request.MessageID;
  response.DimseStatus = status;
  response.DataSetType = data_set ? DIMSE_DATASET_PRESENT : DIMSE_DATASET_NULL;
}

void send_report(T_ASC_Association* association, T_ASC_PresentationContextID context, DcmDataset& report) {
  T_DIMSE_Message message{};
  message.CommandField = DIMSE_N_EVENT_REPORT_RQ;
  T_DIMSE_N_EventReportRQ& event = message.msg.NEventReportRQ;
  event.MessageID = association->nextMsgID++;
  event.DataSetType = DIMSE_DATASET_PRESENT;
  event.EventTypeID = report.tagExists(DCM_FailedSOPSequence) ? 2 : 1;  // PS3.4 J.3.3.1.1
  OFStandard::strlcpy(event.AffectedSOPClassUID, UID_StorageCommitmentPushModelSOPClass,
                      sizeof event.AffectedSOPClassUID);
  OFStandard::strlcpy(event.AffectedSOPInstanceUID, UID_StorageCommitmentPushModelSOPInstance,
                      sizeof event.AffectedSOPInstanceUID);
  send_message(association, context, message, &report);
}

/// Whether somebody at this port took the report.
bool bring_report(int port, DcmDataset& report) {
  namespace dicom = detail::dicom;
  bool answered = false;
  error_of([&] {
    dicom::Association back(loopback(port, "ISOCENTER"),
                            {{UID_StorageCommitmentPushModelSOPClass, dicom::uncompressed_syntaxes(), true}});
    const auto context = back.context(UID_StorageCommitmentPushModelSOPClass);
    if (context == 0) return;
    send_report(back.get(), context, report);
    T_DIMSE_Message answer{};
    T_ASC_PresentationContextID on = 0;
    answered = DIMSE_receiveCommand(back.get(), DIMSE_NONBLOCKING, 5, &on, &answer, nullptr).good() &&
               answer.CommandField == DIMSE_N_EVENT_REPORT_RSP;
    back.release();
  });
  return answered;
}

void serve_commitment(const std::string& folder, int report_port, T_ASC_Association* association,
                      T_ASC_PresentationContextID context, const T_DIMSE_Message& request, DcmDataset& asked) {
  auto report = std::make_shared<DcmDataset>();
  OFString value;
  asked.findAndGetOFString(DCM_TransactionUID, value);
  report->putAndInsertOFStringArray(DCM_TransactionUID, value);
  DcmSequenceOfItems* sequence = nullptr;
  asked.findAndGetSequence(DCM_ReferencedSOPSequence, sequence);
  for (unsigned long i = 0; sequence != nullptr && i < sequence->card(); ++i) {
    sequence->getItem(i)->findAndGetOFString(DCM_ReferencedSOPInstanceUID, value);
    note_arrival(folder, std::string("asked.") + value.c_str());
    const bool lost = std::filesystem::remove(folder + "/lose." + value.c_str());
    DcmItem* item = nullptr;
    report->findOrCreateSequenceItem(lost ? DCM_FailedSOPSequence : DCM_ReferencedSOPSequence, item, -2);
    item->putAndInsertString(DCM_ReferencedSOPClassUID, UID_CTImageStorage);
    item->putAndInsertOFStringArray(DCM_ReferencedSOPInstanceUID, value);
    if (lost) item->putAndInsertUint16(DCM_FailureReason, 0x0112);
  }
  T_DIMSE_Message answer{};
  answer.CommandField = DIMSE_N_ACTION_RSP;
  address(answer.msg.NActionRSP, request.msg.NActionRQ, 0);
  send_message(association, context, answer);
  if (report_port == 0) return send_report(association, context, *report);
  std::thread([folder, report_port, report] {
    for (int i = 0; i < 200; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      if (!std::filesystem::exists(folder + "/hold") && bring_report(report_port, *report)) return;
    }
  }).detach();
}

void serve_archive(const std::string& folder, T_ASC_Association* association, T_ASC_PresentationContextID context,
                   const T_DIMSE_Message& request, DcmDataset* data_set) {
  OFString uid;
  data_set->findAndGetOFString(DCM_SOPInstanceUID, uid);
  T_DIMSE_Message answer{};
  if (request.CommandField == DIMSE_C_STORE_RQ) {
    const bool full = std::filesystem::exists(folder + "/full." + uid.c_str());
    if (!full) note_arrival(folder, uid.c_str());
    answer.CommandField = DIMSE_C_STORE_RSP;
    address(answer.msg.CStoreRSP, request.msg.CStoreRQ, full ? STATUS_STORE_Refused_OutOfResources : STATUS_Success);
    send_message(association, context, answer);
    return;
  }
  answer.CommandField = DIMSE_C_FIND_RSP;
  DcmDataset match;
  match.putAndInsertString(DCM_SOPInstanceUID, uid.c_str());
  address(answer.msg.CFindRSP, request.msg.CFindRQ, 0xff00, true);
  if (arrivals(folder, uid.c_str()) > 0) send_message(association, context, answer, &match);
  address(answer.msg.CFindRSP, request.msg.CFindRQ, 0);
  send_message(association, context, answer);
}

}  // namespace

void note_arrival(const std::string& folder, const std::string& uid) {
  std::ofstream(folder + "/" + uid + "." + std::to_string(arrivals(folder, uid))) << "";
}

int arrivals(const std::string& folder, const std::string& uid) {
  int count = 0;
  while (std::filesystem::exists(folder + "/" + uid + "." + std::to_string(count))) ++count;
  return count;
}

ArchiveProcess::ArchiveProcess(const std::string& folder, int report_port) : port_(free_port()), pid_(::fork()) {
  if (pid_ == 0) {
    const ServicePeer peer(
        {UID_CTImageStorage, UID_FINDStudyRootQueryRetrieveInformationModel, UID_StorageCommitmentPushModelSOPClass},
        [&](auto* association, auto context, const auto& request, DcmDataset* data_set) {
          if (request.CommandField == DIMSE_N_ACTION_RQ)
            return serve_commitment(folder, report_port, association, context, request, *data_set);
          serve_archive(folder, association, context, request, data_set);
        },
        {}, port_);
    for (;;) ::pause();
  }
  wait_for_port(port_);
}

ArchiveProcess::~ArchiveProcess() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

}  // namespace isocenter::test
