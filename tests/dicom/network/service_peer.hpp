#pragma once
// A provider of DIMSE-N services for tests, made of DCMTK alone: it accepts one association after another, and hands
// each request with its data set to the test.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmnet/dimse.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

namespace isocenter::test {

class ServicePeer {
 public:
  /// What to do with a request; the association is there for answers.
  using Handler = std::function<void(T_ASC_Association*, T_ASC_PresentationContextID, const T_DIMSE_Message&,
                                     DcmDataset* data_set)>;
  ServicePeer(const std::string& sop_class, Handler handler);
  ~ServicePeer();
  ServicePeer(const ServicePeer&) = delete;
  ServicePeer& operator=(const ServicePeer&) = delete;
  int port() const { return port_; }

 private:
  void serve();
  void hold(T_ASC_Association* association);

  std::string sop_class_;
  Handler handler_;
  int port_;
  T_ASC_Network* network_ = nullptr;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

void send_message(T_ASC_Association* association, T_ASC_PresentationContextID context, T_DIMSE_Message message,
                  DcmDataset* data_set = nullptr);

}  // namespace isocenter::test
