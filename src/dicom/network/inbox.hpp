#pragma once
// Instances kept so that a crash of the machine loses none that was acknowledged.
//
// An instance is written to <folder>/.incoming, flushed, and renamed to <study>/<series>/<sop instance>.dcm; then the
// series' folder is flushed, once for all instances that wait for it (group commit). accept() returns after that.
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "peer.hpp"
#include "stored_instance.hpp"

namespace isocenter::detail::dicom {

class FolderFlush;

class Inbox {
 public:
  /// Makes the folder when it is not there and removes what an interrupted run left in .incoming, none of which was
  /// acknowledged. Holds a lock on it: throws Failure(invalid_state) when another process does, io_error when it cannot
  /// be written to.
  explicit Inbox(const std::string& folder);
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;
  ~Inbox();

  struct Accepted {
    std::string path;
    bool already_there = false;  ///< the very same data set was accepted before; nothing was written
  };
  /// Durable when it returns. Throws Failure: invalid_state when another data set has this SOPInstanceUID (which
  /// stays), io_error for the disk. Thread-safe.
  Accepted accept(const InstanceName& name, const std::string& source_ae, std::span<const std::uint8_t> data_set);

  const std::string& folder() const { return folder_; }
  std::string series_folder(const InstanceName& name) const {
    return folder_ + "/" + name.study_uid + "/" + name.series_uid;
  }

 private:
  std::shared_ptr<FolderFlush> series_flush(const InstanceName& name);

  std::string folder_;
  int lock_ = -1;
  std::mutex mutex_;
  std::uint64_t next_ = 0;
  std::map<std::string, std::shared_ptr<FolderFlush>> flushes_;  ///< of the series folders that are durable themselves
};

}  // namespace isocenter::detail::dicom
