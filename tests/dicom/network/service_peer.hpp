#pragma once
// A provider for tests, made of DCMTK alone: it accepts one association after another, and hands each request with its
// data set to the test.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmnet/dimse.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "dicom/network/peer.hpp"

namespace isocenter::test {

class ServicePeer {
 public:
  /// What to do with a request; the association is there for answers.
  using Handler = std::function<void(T_ASC_Association*, T_ASC_PresentationContextID, const T_DIMSE_Message&,
                                     DcmDataset* data_set)>;
  ServicePeer(std::vector<std::string> sop_classes, Handler handler, const detail::dicom::TlsFiles& tls = {},
              int port = 0);
  ~ServicePeer();
  ServicePeer(const ServicePeer&) = delete;
  ServicePeer& operator=(const ServicePeer&) = delete;
  int port() const { return port_; }

 private:
  void serve();
  void hold(T_ASC_Association* association);

  std::vector<std::string> sop_classes_;
  Handler handler_;
  bool secure_;
  int port_;
  T_ASC_Network* network_ = nullptr;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

/// A process of its own that takes what C-STORE brings, but for what a file "full.UID" is there for, and answers C-FIND
/// with what it has: "UID.0", "UID.1", ... in a folder are the times that an instance came. It commits itself to what
/// it is asked to, but for what a file "lose.UID" is there for, once; "asked.UID.0", ... are the times that it was
/// asked. It reports on the association that asks, or over one of its own to `report_port`, which it tries for ten
/// seconds, and not while a file "hold" is there.
class ArchiveProcess {
 public:
  explicit ArchiveProcess(const std::string& folder, int report_port = 0);
  ~ArchiveProcess();
  ArchiveProcess(const ArchiveProcess&) = delete;
  ArchiveProcess& operator=(const ArchiveProcess&) = delete;
  int port() const { return port_; }

 private:
  int port_, pid_;
};
/// Keeps that an instance came, and how often it had come before.
void note_arrival(const std::string& folder, const std::string& uid);
int arrivals(const std::string& folder, const std::string& uid);

void send_message(T_ASC_Association* association, T_ASC_PresentationContextID context, T_DIMSE_Message message,
                  DcmDataset* data_set = nullptr);

}  // namespace isocenter::test
