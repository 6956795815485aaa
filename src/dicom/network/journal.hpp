#pragma once
// What an inbox has received and not yet flushed file by file (a write-ahead journal).
//
// An entry is a file to be: its name and its bytes. append() writes it past the page cache (O_DIRECT) into a segment,
// a file that was allocated before, and one flush makes all entries durable that wait for it (group commit). The caller
// then writes the file itself and drops the ticket. A segment takes no more when it is full, when nothing came for a
// second, or when its first entry is `longest_open` old; once no ticket of it is left, a thread flushes the whole file
// system, empties the segment, and it is used again. Another thread makes segments ahead of their use. A process or a
// machine that dies leaves segments, which replay() reads.
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace isocenter::detail::dicom {

class FileSystemFlush;
class GroupFlush;

struct JournalSize {
  std::uint64_t segment_bytes = std::uint64_t{32} << 20U;  ///< a multiple of 4096
  int segments = 8;                                        ///< more are never made; 0: no journal
  std::chrono::milliseconds patience{20000};               ///< how long append() waits for room
  std::chrono::milliseconds longest_open{4000};            ///< looked at every second
};

class Journal {
 public:
  /// Makes the folder when it is not there, and segments when they are needed.
  Journal(const std::string& folder, const JournalSize& size);
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;
  /// Flushes the file system and removes the segments; they stay when that fails, or the journal had failed before.
  ~Journal();

  /// While it lives, its entry stays in the journal.
  class Ticket {
   public:
    Ticket(Journal* journal, std::size_t segment, std::uint64_t offset)
        : journal_(journal), segment_(segment), offset_(offset) {}
    Ticket(Ticket&& other) noexcept
        : journal_(std::exchange(other.journal_, nullptr)), segment_(other.segment_), offset_(other.offset_) {}
    Ticket& operator=(Ticket&&) = delete;
    ~Ticket() {
      if (journal_ != nullptr) journal_->done(segment_);
    }

   private:
    friend class Journal;
    Journal* journal_;
    std::size_t segment_;
    std::uint64_t offset_;
  };

  /// Durable when it returns. Nothing when the journal cannot take it: the entry is longer than half a segment, the
  /// file system has no O_DIRECT, or no room for one segment. Throws Failure(io_error) when the journal is full for
  /// longer than `patience`, when the disk is (some file systems need room to write in place), and for good once
  /// another write or a flush has failed: what the disk holds then is not known. Thread-safe.
  std::optional<Ticket> append(const std::string& name, std::span<const std::uint8_t> head,
                               std::span<const std::uint8_t> body);

  /// Takes an entry back that is not to be acknowledged, durably.
  void withdraw(const Ticket& ticket);

  /// Reads what a journal in this folder has, in the order of its appending. Entries that are not whole were never
  /// acknowledged and are passed over. Throws Failure(io_error) when the folder or a segment cannot be read.
  static void replay(const std::string& folder,
                     const std::function<void(const std::string& name, std::span<const std::uint8_t> bytes)>& entry);
  /// Removes all segments in the folder; throws Failure(io_error) when one stays.
  static void clear(const std::string& folder);

 private:
  struct Segment;
  using Clock = std::chrono::steady_clock;
  struct Place {
    std::size_t segment = 0;
    std::uint64_t offset = 0;
  };

  std::optional<Place> reserve(std::uint64_t bytes);
  bool has_free_segment() const;
  bool wants_segment() const;
  std::unique_ptr<Segment> make_segment(std::size_t number);
  void make_segments();
  void begin(Segment& segment);
  void done(std::size_t segment);
  Segment& at(std::size_t segment);
  int fill(const Segment& segment) const;
  void fail(const std::string& why);
  void stop();
  void require_sound() const;
  void empty_segments();
  bool empty(const std::vector<Segment*>& segments);
  bool something_to_empty(Clock::time_point now);

  std::string folder_;
  JournalSize size_;
  std::unique_ptr<FileSystemFlush> file_system_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::unique_ptr<Segment>> segments_;
  std::optional<std::size_t> active_;
  std::uint64_t next_number_ = 1;
  Clock::time_point last_append_{};
  std::string failed_;        ///< why nothing more is taken; empty: sound
  bool unsupported_ = false;  ///< the file system has no O_DIRECT
  bool asked_ = false;        ///< somebody waits for a segment to be made
  bool no_room_ = false;      ///< the last one could not be made
  bool stopping_ = false;
  std::thread emptier_, maker_;
};

}  // namespace isocenter::detail::dicom
