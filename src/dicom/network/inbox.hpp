#pragma once
// Instances kept so that a crash of the machine loses none that was acknowledged.
//
// An instance is written to <folder>/.incoming; then it is made durable, by an entry of the journal that it shares a
// flush with others for or, where there is no journal, by a flush of its own; then it is renamed to
// <study>/<series>/<sop instance>.dcm, and accept() returns. See journal.hpp.
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "durable.hpp"
#include "journal.hpp"
#include "peer.hpp"
#include "stored_instance.hpp"

namespace isocenter::detail::dicom {

class Inbox {
 public:
  /// Makes the folder when it is not there, brings back what the journal of a run that died has, and removes the rest
  /// of that run. Holds a lock on the folder: throws Failure(invalid_state) when another process does, io_error when it
  /// cannot be written to or the journal cannot be read, which then stays.
  explicit Inbox(const std::string& folder, const JournalSize& journal = {.segments = 0});
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;
  ~Inbox();

  struct Accepted {
    std::string path;
    bool already_there = false;  ///< the very same data set was accepted before; nothing was written
  };
  /// Durable when it returns, and there for readers. Throws Failure: invalid_state when another data set has this
  /// SOPInstanceUID (which stays), io_error for the disk. Thread-safe.
  Accepted accept(const InstanceName& name, const std::string& source_ae, std::span<const std::uint8_t> data_set);

  class Group;

  const std::string& folder() const { return folder_; }
  std::string series_folder(const InstanceName& name) const {
    return folder_ + "/" + name.study_uid + "/" + name.series_uid;
  }

  /// How many instances the journal had to bring back.
  int restored() const { return restored_; }

 private:
  class Reservation;
  /// Names that instances got in the folder of their series, to be made durable with it.
  struct Names {
    std::shared_ptr<GroupFlush> folder;
    std::uint64_t failures = 0;  ///< of the folder's flushes, before the first of the names was given
    std::vector<std::string> paths;
    /// Throws Failure(io_error), and none of the names is there then: they are given anew when the instances come
    /// again.
    void make_durable() const;
  };
  void require_names(const InstanceName& name) const;
  void restore();
  Accepted keep_first(const std::string& path, const InstanceName& name, std::span<const std::uint8_t> data_set);
  std::shared_ptr<GroupFlush> series_flush(const InstanceName& name);
  Names rename_part(const std::string& part, const std::string& path, const InstanceName& name);
  std::string temporary();

  std::string folder_;
  int lock_ = -1;
  int restored_ = 0;
  std::mutex mutex_;
  std::condition_variable free_;
  std::set<std::string> underway_;  ///< paths that a thread is about to write
  std::uint64_t next_ = 0;
  std::map<std::string, std::shared_ptr<GroupFlush>> flushes_;  ///< of the series folders that are durable themselves
  std::unique_ptr<Journal> journal_;
};

/// Instances that we fetch, and that nobody forgets because we took them: they become durable, and then get their
/// names, together. One thread fetches into an inbox at a time.
class Inbox::Group {
 public:
  explicit Group(Inbox& inbox);
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;
  /// Keeps what was added, and is silent when that fails: for when something else has failed already.
  ~Group();
  /// As Inbox::accept, but durable and there for readers with the next keep(), which it calls for each
  /// `longest_group`.
  void add(const InstanceName& name, const std::string& source_ae, std::span<const std::uint8_t> data_set);
  /// Throws Failure(io_error) for the disk. Nothing that was added since the last keep() is kept when the flush of the
  /// contents fails.
  void keep();

 private:
  void drop();

  struct Part {
    std::string file, path;
    InstanceName name;
  };
  static constexpr std::uint64_t longest_group = std::uint64_t{64} << 20U;

  Inbox& inbox_;
  FileSystemFlush flush_;
  std::vector<Part> parts_;
  std::uint64_t bytes_ = 0;
};

}  // namespace isocenter::detail::dicom
