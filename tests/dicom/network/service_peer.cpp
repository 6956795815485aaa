#include "service_peer.hpp"

#include <dcmtk/dcmdata/dcuid.h>

#include "network_test.hpp"

namespace isocenter::test {

ServicePeer::ServicePeer(const std::string& sop_class, Handler handler)
    : sop_class_(sop_class), handler_(std::move(handler)), port_(free_port()) {
  if (ASC_initializeNetwork(NET_ACCEPTOR, port_, 5, &network_).bad()) throw std::runtime_error("ServicePeer");
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
    if (ASC_receiveAssociation(network_, &association, 16384, nullptr, nullptr, OFFalse, DUL_NOBLOCK, 1).good())
      hold(association);
    if (association == nullptr) continue;
    ASC_dropAssociation(association);
    ASC_destroyAssociation(&association);
  }
}

void ServicePeer::hold(T_ASC_Association* association) {
  const char* sop_class = sop_class_.c_str();
  const char* syntax = UID_LittleEndianImplicitTransferSyntax;
  ASC_acceptContextsWithPreferredTransferSyntaxes(association->params, &sop_class, 1, &syntax, 1);
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
                         message.CommandField == DIMSE_N_SET_RQ;
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

}  // namespace isocenter::test
