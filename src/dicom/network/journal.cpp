#include "journal.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <isocenter/error.hpp>
#include <limits>
#include <random>

#include "durable.hpp"
#include "journal_format.hpp"

namespace isocenter::detail::dicom {
namespace {

namespace fs = std::filesystem;
using namespace journal_format;

/// Memory as O_DIRECT wants it.
struct Free {
  void operator()(std::uint8_t* memory) const { std::free(memory); }
};
using Blocks = std::unique_ptr<std::uint8_t, Free>;

Blocks blocks(std::uint64_t bytes) {
  auto* memory = static_cast<std::uint8_t*>(std::aligned_alloc(block, bytes));
  if (memory == nullptr) throw std::bad_alloc();
  return Blocks(memory);
}

int write_at(int file, std::span<const std::uint8_t> bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return 0;
}

int write_head(int file, const SegmentHead& head, std::uint64_t offset = 0) {
  const Blocks memory = blocks(block);
  std::fill_n(memory.get(), block, std::uint8_t{0});
  std::memcpy(memory.get(), &head, sizeof head);
  return write_at(file, {memory.get(), block}, offset);
}

constexpr SegmentHead no_head{.mark = 0};

/// The beginning of a file, or all of it where that is shorter.
std::vector<std::uint8_t> read_file(const std::string& path, std::uint64_t most) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) fail_io(path, "be read", errno);
  std::vector<std::uint8_t> bytes;
  int error = 0;
  for (bool ended = false; !ended && error == 0 && bytes.size() < most;) {
    const std::size_t had = bytes.size(), piece = std::min<std::uint64_t>(most - had, std::uint64_t{1} << 20U);
    bytes.resize(had + piece);
    const ssize_t n = ::read(file, bytes.data() + had, piece);
    if (n < 0 && errno != EINTR) error = errno;
    ended = n == 0;
    bytes.resize(had + (n > 0 ? static_cast<std::size_t>(n) : 0));
  }
  ::close(file);
  if (error != 0) fail_io(path, "be read", error);
  return bytes;
}

bool no_room(int error) { return error == ENOSPC || error == EDQUOT; }

std::uint64_t random_key() {
  std::random_device random;
  return std::uint64_t{random()} << 32U | random();
}

/// None where there is no folder.
std::vector<std::string> segment_files(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  if (error == std::errc::no_such_file_or_directory) return files;
  for (; !error && entry != fs::directory_iterator(); entry.increment(error))
    if (entry->path().extension() == ".segment") files.push_back(entry->path().string());
  if (error) fail_io(folder, "be read", error.value());
  return files;
}

/// A failure without its fix.
std::string what_of(const std::exception& e) {
  const std::string text = e.what();
  return text.substr(0, text.find(". Fix: "));
}

}  // namespace

struct Journal::Segment {
  Segment(const std::string& its_path, int file)
      : path(its_path), flush(std::make_shared<GroupFlush>(its_path, file, GroupFlush::What::data)) {}
  std::string path;
  std::shared_ptr<GroupFlush> flush;
  std::uint64_t used = 0, key = 0;  ///< 0 used: empty
  Clock::time_point opened;         ///< when it got its first entry
  int tickets = 0;
  bool full = false;
};

Journal::Journal(const std::string& folder, const JournalSize& size) : folder_(folder), size_(size) {
  make_durable_folder(folder, fs::path(folder).parent_path().string());
  if (size_.segments <= 0) return;
  file_system_ = std::make_unique<FileSystemFlush>(folder);
  segments_.reserve(static_cast<std::size_t>(size_.segments));
  emptier_ = std::thread([this] { empty_segments(); });
  try {
    maker_ = std::thread([this] { make_segments(); });
  } catch (...) {
    stop();
    throw;
  }
}

void Journal::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  for (std::thread* thread : {&emptier_, &maker_})
    if (thread->joinable()) thread->join();
}

Journal::~Journal() {
  stop();
  if (!failed_.empty()) return;
  for (const auto& segment : segments_) ::unlink(segment->path.c_str());
}

void Journal::require_sound() const {
  if (!failed_.empty())
    throw Failure(ErrorCode::io_error, failed_ + "; nothing more is taken", "check the disk, then start again");
}

void Journal::fail(const std::string& why) {
  const std::lock_guard lock(mutex_);
  if (failed_.empty()) failed_ = why;
  changed_.notify_all();
}

bool Journal::has_free_segment() const {
  return std::any_of(segments_.begin(), segments_.end(), [](const auto& s) { return s->used == 0; });
}

/// Whether one has to be made: somebody waits, or will before long.
bool Journal::wants_segment() const {
  if (unsupported_ || has_free_segment() || std::cmp_greater_equal(segments_.size(), size_.segments)) return false;
  return asked_ || (!no_room_ && active_ && segments_[*active_]->used > size_.segment_bytes / 4);
}

/// Allocates by writing: blocks that were only reserved would cost a change of the file's map with each entry.
std::unique_ptr<Journal::Segment> Journal::make_segment(std::size_t number) {
  const std::string path = folder_ + "/" + std::to_string(number) + ".segment";
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_DIRECT | O_CLOEXEC, 0666);
  int error = file < 0 ? errno : 0;
  if (error == 0) {
    try {
      auto segment = std::make_unique<Segment>(path, file);
      error = fill(*segment);
      if (error == 0) flush_folder(folder_);
      if (error == 0) return segment;
    } catch (...) {
      ::unlink(path.c_str());
      throw;
    }
  }
  if (error != EEXIST) ::unlink(path.c_str());  // some systems make the file before they refuse O_DIRECT
  const std::lock_guard lock(mutex_);
  unsupported_ = error == EINVAL;
  return nullptr;
}

int Journal::fill(const Segment& segment) const {
  const std::uint64_t piece = std::min<std::uint64_t>(size_.segment_bytes, std::uint64_t{1} << 20U);
  const Blocks zeros = blocks(piece);
  std::fill_n(zeros.get(), piece, std::uint8_t{0});
  int error = 0;
  for (std::uint64_t at = 0; at < size_.segment_bytes && error == 0; at += piece)
    error = write_at(segment.flush->file(), {zeros.get(), std::min(piece, size_.segment_bytes - at)}, at);
  if (error == 0 && ::fsync(segment.flush->file()) != 0) error = errno;
  return error;
}

void Journal::make_segments() {
  std::unique_lock lock(mutex_);
  while (!stopping_ && failed_.empty()) {
    if (!wants_segment()) {
      changed_.wait(lock);
      continue;
    }
    const std::size_t number = segments_.size();
    lock.unlock();
    std::unique_ptr<Segment> segment;
    try {
      segment = make_segment(number);
    } catch (const std::exception&) {
      segment = nullptr;  // no memory, or the folder cannot be flushed: as no room
    }
    lock.lock();
    asked_ = false;
    no_room_ = segment == nullptr;
    if (segment != nullptr) segments_.push_back(std::move(segment));
    changed_.notify_all();
  }
}

void Journal::begin(Segment& segment) {
  SegmentHead head;
  head.key = segment.key = random_key();
  head.number = next_number_++;
  head.checksum = checksum_of(head);
  const int error = write_head(segment.flush->file(), head);
  if (error != 0) {
    active_.reset();
    if (no_room(error)) fail_io(segment.path, "be written", error);
    failed_ = "'" + segment.path + "' cannot be written: " + std::strerror(error);
    changed_.notify_all();
    require_sound();
  }
  segment.used = block;
  segment.opened = Clock::now();
}

std::optional<Journal::Place> Journal::reserve(std::uint64_t bytes) {
  std::unique_lock lock(mutex_);
  const auto until = Clock::now() + size_.patience;
  for (;;) {
    require_sound();
    if (active_ && segments_[*active_]->used + bytes > size_.segment_bytes) {
      segments_[*active_]->full = true;
      active_.reset();
      changed_.notify_all();
    }
    for (std::size_t i = 0; i < segments_.size() && !active_; ++i)
      if (segments_[i]->used == 0) active_ = i;
    if (active_) break;
    if (segments_.empty() && (unsupported_ || no_room_)) {
      no_room_ = false;  // the next one asks again
      return std::nullopt;
    }
    asked_ = !unsupported_ && !no_room_ && std::cmp_less(segments_.size(), size_.segments);
    if (asked_) changed_.notify_all();
    if (changed_.wait_until(lock, until) == std::cv_status::timeout && Clock::now() >= until)
      throw Failure(ErrorCode::io_error,
                    "the journal '" + folder_ + "' is full: the disk does not keep up with what comes",
                    "have the peer try again later, use a faster disk, or raise journal_mib");
  }
  Segment& segment = *segments_[*active_];
  if (segment.used == 0) begin(segment);
  const Place place{*active_, segment.used};
  segment.used += bytes;
  if (wants_segment()) changed_.notify_all();
  ++segment.tickets;
  last_append_ = Clock::now();
  return place;
}

std::optional<Journal::Ticket> Journal::append(const std::string& name, std::span<const std::uint8_t> head,
                                               std::span<const std::uint8_t> body) {
  EntryHead entry;
  entry.name_bytes = name.size();
  entry.bytes = head.size() + body.size();
  const std::uint64_t bytes = entry_bytes(entry.name_bytes, entry.bytes);
  if (size_.segments <= 0 || bytes > size_.segment_bytes / 2) return std::nullopt;
  const Blocks memory = blocks(bytes);
  const auto place = reserve(bytes);
  if (!place) return std::nullopt;
  Ticket ticket(this, place->segment, place->offset);
  const Segment& segment = at(place->segment);
  std::uint8_t* to = memory.get() + sizeof entry;
  to = std::copy(name.begin(), name.end(), to);
  to = std::copy(head.begin(), head.end(), to);
  to = std::copy(body.begin(), body.end(), to);
  std::fill(to, memory.get() + bytes, std::uint8_t{0});
  entry.key = segment.key;
  entry.checksum = checksum_of(entry, {memory.get() + sizeof entry, entry.name_bytes + entry.bytes});
  std::memcpy(memory.get(), &entry, sizeof entry);
  const std::uint64_t failures = segment.flush->failures();
  const int error = write_at(segment.flush->file(), {memory.get(), bytes}, place->offset);
  if (no_room(error)) fail_io(segment.path, "be written", error);  // the entry is not whole: nobody will find it
  try {
    if (error != 0) fail_io(segment.path, "be written", error);
    segment.flush->wait(failures);
  } catch (const std::exception& e) {
    fail(what_of(e));
    throw;
  }
  return ticket;
}

void Journal::withdraw(const Ticket& ticket) {
  const Segment& segment = at(ticket.segment_);
  try {
    const std::uint64_t failures = segment.flush->failures();
    const int error = write_head(segment.flush->file(), no_head, ticket.offset_);
    if (error != 0) fail_io(segment.path, "be written", error);
    segment.flush->wait(failures);
  } catch (const std::exception& e) {
    fail(what_of(e));
    throw;
  }
}

Journal::Segment& Journal::at(std::size_t segment) {
  const std::lock_guard lock(mutex_);
  return *segments_[segment];
}

void Journal::done(std::size_t segment) {
  const std::lock_guard lock(mutex_);
  if (--segments_[segment]->tickets == 0 && (segments_[segment]->full || stopping_)) changed_.notify_all();
}

bool Journal::something_to_empty(Clock::time_point now) {
  if (active_ && segments_[*active_]->used > 0) {
    Segment& segment = *segments_[*active_];
    const bool idle = (stopping_ || now - last_append_ > std::chrono::seconds(1)) && segment.tickets == 0;
    if (idle || now - segment.opened > size_.longest_open) {
      segment.full = true;
      active_.reset();
    }
  }
  return std::any_of(segments_.begin(), segments_.end(), [](const auto& s) { return s->full && s->tickets == 0; });
}

void Journal::empty_segments() try {
  std::unique_lock lock(mutex_);
  while (failed_.empty()) {
    if (!something_to_empty(Clock::now())) {
      if (stopping_) return;
      changed_.wait_for(lock, std::chrono::seconds(1));
      continue;
    }
    std::vector<Segment*> full;
    for (const auto& segment : segments_)
      if (segment->full && segment->tickets == 0) full.push_back(segment.get());
    lock.unlock();
    const bool emptied = empty(full);
    lock.lock();
    if (!emptied) {
      if (stopping_) return;  // all in them is flushed: they may go
      changed_.wait_for(lock, std::chrono::seconds(1));
      continue;
    }
    for (Segment* segment : full) {
      segment->used = 0;
      segment->full = false;
    }
    no_room_ = false;  // there may be some by now
    changed_.notify_all();
  }
} catch (const std::exception& e) {
  fail(what_of(e));
}

/// Flushes the files of all entries, then takes the segments' heads away. False when the disk is full: to be done
/// again.
bool Journal::empty(const std::vector<Segment*>& segments) {
  file_system_->flush();
  for (Segment* segment : segments) {
    const std::uint64_t failures = segment->flush->failures();
    const int error = write_head(segment->flush->file(), no_head);
    if (no_room(error)) return false;
    if (error != 0) fail_io(segment->path, "be written", error);
    segment->flush->wait(failures);
  }
  return true;
}

void Journal::replay(const std::string& folder,
                     const std::function<void(const std::string&, std::span<const std::uint8_t>)>& entry) {
  std::vector<std::pair<std::uint64_t, std::string>> files;
  for (const std::string& path : segment_files(folder)) {
    SegmentHead head;
    const std::vector<std::uint8_t> bytes = read_file(path, sizeof head);
    if (bytes.size() < sizeof head) continue;  // its making was cut short: no entry came into it
    std::memcpy(&head, bytes.data(), sizeof head);
    if (head.mark == segment_mark) files.emplace_back(head.number, path);
  }
  std::sort(files.begin(), files.end());
  for (const auto& [number, path] : files)
    for_each_entry(read_file(path, std::numeric_limits<std::uint64_t>::max()), entry);
}

void Journal::clear(const std::string& folder) {
  const auto files = segment_files(folder);
  for (const std::string& path : files)
    if (::unlink(path.c_str()) != 0) fail_io(path, "be removed", errno);
  if (!files.empty()) flush_folder(folder);
}

}  // namespace isocenter::detail::dicom
