#include "journal.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <isocenter/error.hpp>
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

int write_head(int file, const SegmentHead& head) {
  const Blocks memory = blocks(block);
  std::fill_n(memory.get(), block, std::uint8_t{0});
  std::memcpy(memory.get(), &head, sizeof head);
  return write_at(file, {memory.get(), block}, 0);
}

std::uint64_t random_key() {
  std::random_device random;
  return std::uint64_t{random()} << 32U | random();
}

std::vector<std::string> segment_files(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (entry.path().extension() == ".segment") files.push_back(entry.path().string());
  return files;
}

/// A failure without its fix.
std::string what_of(const Error& e) {
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
  int tickets = 0;
  bool full = false;
};

Journal::Journal(const std::string& folder, const JournalSize& size) : folder_(folder), size_(size) {
  make_durable_folder(folder, fs::path(folder).parent_path().string());
  if (size_.segments <= 0) return;
  emptier_ = std::thread([this] { empty_segments(); });
  maker_ = std::thread([this] { make_segments(); });
}

Journal::~Journal() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  for (std::thread* thread : {&emptier_, &maker_})
    if (thread->joinable()) thread->join();
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
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_DIRECT | O_CLOEXEC, 0666);
  int error = file < 0 ? errno : 0;
  std::unique_ptr<Segment> segment;
  if (file >= 0) {
    segment = std::make_unique<Segment>(path, file);
    const std::uint64_t piece = std::min<std::uint64_t>(size_.segment_bytes, std::uint64_t{1} << 20U);
    const Blocks zeros = blocks(piece);
    std::fill_n(zeros.get(), piece, std::uint8_t{0});
    for (std::uint64_t at = 0; at < size_.segment_bytes && error == 0; at += piece)
      error = write_at(file, {zeros.get(), std::min(piece, size_.segment_bytes - at)}, at);
    if (error == 0 && ::fsync(file) != 0) error = errno;
  }
  if (error == 0) {
    flush_folder(folder_);
    return segment;
  }
  ::unlink(path.c_str());
  const std::lock_guard lock(mutex_);
  unsupported_ = error == EINVAL;
  return nullptr;
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
    failed_ = "'" + segment.path + "' cannot be written";
    require_sound();
  }
  segment.used = block;
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
  Ticket ticket(this, place->segment);
  Segment* segment = nullptr;
  {
    const std::lock_guard lock(mutex_);
    segment = segments_[place->segment].get();
  }
  std::uint8_t* to = memory.get() + sizeof entry;
  to = std::copy(name.begin(), name.end(), to);
  to = std::copy(head.begin(), head.end(), to);
  to = std::copy(body.begin(), body.end(), to);
  std::fill(to, memory.get() + bytes, std::uint8_t{0});
  entry.key = segment->key;
  entry.checksum = checksum_of(entry, {memory.get() + sizeof entry, entry.name_bytes + entry.bytes});
  std::memcpy(memory.get(), &entry, sizeof entry);
  try {
    const int error = write_at(segment->flush->file(), {memory.get(), bytes}, place->offset);
    if (error != 0) fail_io(segment->path, "be written", error);
    segment->flush->wait();
  } catch (const Error& e) {
    fail(what_of(e));
    throw;
  }
  return ticket;
}

void Journal::done(std::size_t segment) {
  const std::lock_guard lock(mutex_);
  if (--segments_[segment]->tickets == 0 && (segments_[segment]->full || stopping_)) changed_.notify_all();
}

bool Journal::something_to_empty(Clock::time_point now) {
  if (active_ && (stopping_ || now - last_append_ > std::chrono::seconds(1)) && segments_[*active_]->tickets == 0) {
    segments_[*active_]->full = true;
    active_.reset();
  }
  return std::any_of(segments_.begin(), segments_.end(), [](const auto& s) { return s->full && s->tickets == 0; });
}

void Journal::empty_segments() {
  std::unique_lock lock(mutex_);
  while (failed_.empty()) {
    if (!something_to_empty(Clock::now())) {
      if (stopping_) return;
      changed_.wait_for(lock, std::chrono::seconds(1));
      continue;
    }
    std::vector<Segment*> emptied;
    for (const auto& segment : segments_)
      if (segment->full && segment->tickets == 0) emptied.push_back(segment.get());
    lock.unlock();
    std::string why;
    try {
      flush_file_system(folder_);
      for (Segment* segment : emptied) {
        const int error = write_head(segment->flush->file(), {.mark = 0});
        if (error != 0) fail_io(segment->path, "be written", error);
        segment->flush->wait();
      }
    } catch (const Error& e) {
      why = what_of(e);
    }
    lock.lock();
    if (!why.empty()) failed_ = why;
    for (Segment* segment : emptied) {
      segment->used = 0;
      segment->full = false;
    }
    no_room_ = false;  // there may be some by now
    changed_.notify_all();
  }
}

void Journal::replay(const std::string& folder,
                     const std::function<void(const std::string&, std::span<const std::uint8_t>)>& entry) {
  std::vector<std::pair<std::uint64_t, std::string>> files;
  for (const std::string& path : segment_files(folder)) {
    SegmentHead head;
    std::ifstream file(path, std::ios::binary);
    if (file.read(reinterpret_cast<char*>(&head), sizeof head) && head.mark == segment_mark)
      files.emplace_back(head.number, path);
  }
  std::sort(files.begin(), files.end());
  for (const auto& [number, path] : files) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    std::vector<std::uint8_t> bytes(file ? static_cast<std::size_t>(file.tellg()) : 0);
    file.seekg(0);
    if (!file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size())))
      fail_io(path, "be read", errno);
    for_each_entry(bytes, entry);
  }
}

void Journal::clear(const std::string& folder) {
  const auto files = segment_files(folder);
  for (const std::string& path : files) ::unlink(path.c_str());
  if (!files.empty()) flush_folder(folder);
}

}  // namespace isocenter::detail::dicom
