#pragma once
// What the network tests share: CT instances, folders that go away, other people's programs on loopback.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <isocenter/error.hpp>
#include <memory>
#include <string>
#include <vector>

#include "dicom/network/outbox.hpp"
#include "dicom/network/peer.hpp"

namespace isocenter::test {

class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// One series of CT images of `size` x `size` pixels, "<prefix>.<i>" being the SOP instance UIDs; the files' paths.
std::vector<std::string> write_ct_series(const std::string& folder, int count, int size = 32,
                                         const std::string& prefix = "1.2.826.0.1.3680043.8.498.7");
/// The instance UID of image i of write_ct_series.
std::string instance_uid(int i, const std::string& prefix = "1.2.826.0.1.3680043.8.498.7");

/// Files below a folder that end with ".dcm".
std::vector<std::string> dicom_files(const std::string& folder);
/// Whether both files hold the same data set, byte for byte, whatever their meta information.
bool same_data_set(const std::string& a, const std::string& b);

/// A port that was free a moment ago.
int free_port();

/// A program started on loopback, ended (SIGTERM, then SIGKILL) with this object.
class Program {
 public:
  Program(const std::vector<std::string>& command, const std::string& log,
          const std::vector<std::string>& environment = {});
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  int pid() const { return pid_; }
  void kill_now();
  /// Its exit status, or 128 and the signal; waits for its end.
  int wait();

 private:
  int pid_ = -1;
};
/// Runs to the end; the exit status.
int run_program(const std::vector<std::string>& command, const std::string& log,
                const std::vector<std::string>& environment = {});
/// Whether somebody listens at the port within ten seconds.
bool wait_for_port(int port);
/// The words of a failure: isocenter::Error's, or "" when none was thrown.
std::string error_of(const std::function<void()>& work);
std::string text_of(const std::string& path);

detail::dicom::Peer loopback(int port, const std::string& called = "STORE");

/// Debian's Orthanc with an empty archive; it knows us as ISOCENTER at `our_port`.
class Orthanc {
 public:
  static bool is_installed();
  Orthanc();
  detail::dicom::Peer peer() const { return loopback(port, "ORTHANC"); }

  TemporaryFolder folder;
  int port, our_port;

 private:
  std::unique_ptr<Program> program_;
};

/// Over associations with this peer, until all is delivered or `attempts` are spent, with short pauses.
detail::dicom::Outbox::Delivery deliver(detail::dicom::Outbox& outbox, const detail::dicom::Peer& peer,
                                        int attempts = 3, int associations = 1, int batch = 100);

}  // namespace isocenter::test
