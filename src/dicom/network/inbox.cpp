#include "inbox.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <isocenter/error.hpp>
#include <vector>

#include "durable.hpp"

namespace isocenter::detail::dicom {
namespace {

namespace fs = std::filesystem;

/// Whether the file ends with exactly these bytes after a file head: the AE title in the head may differ.
bool holds(const std::string& path, std::span<const std::uint8_t> data_set) {
  std::ifstream file(path, std::ios::binary);
  std::uint8_t head[144] = {};
  file.read(reinterpret_cast<char*>(head), sizeof head);
  if (!file) return false;
  const std::uint32_t group =
      head[140] | head[141] << 8U | head[142] << 16U | static_cast<std::uint32_t>(head[143]) << 24U;
  const std::uint64_t start = sizeof head + std::uint64_t{group};
  std::error_code error;
  if (fs::file_size(path, error) != start + data_set.size() || error) return false;
  file.seekg(static_cast<std::streamoff>(start));
  std::vector<char> piece(1U << 16U);
  while (!data_set.empty()) {
    const std::size_t n = std::min(piece.size(), data_set.size());
    file.read(piece.data(), static_cast<std::streamsize>(n));
    if (!file || !std::equal(data_set.begin(), data_set.begin() + static_cast<std::ptrdiff_t>(n), piece.begin(),
                             [](std::uint8_t a, char b) { return a == static_cast<std::uint8_t>(b); }))
      return false;
    data_set = data_set.subspan(n);
  }
  return true;
}

void require_same(const std::string& path, const InstanceName& name, std::span<const std::uint8_t> data_set) {
  if (!holds(path, data_set))
    throw Failure(ErrorCode::invalid_state,
                  "SOPInstanceUID (0008,0018) = " + name.sop_instance_uid + " is here already with other contents",
                  "have the sender give changed instances new UIDs; the first stays");
}

/// Whether what this descriptor was opened as is still what the path names.
bool is_at(int file, const std::string& path) {
  struct stat opened {
  }, named{};
  return ::fstat(file, &opened) == 0 && ::stat(path.c_str(), &named) == 0 && opened.st_dev == named.st_dev &&
         opened.st_ino == named.st_ino;
}

/// "1.2/1.3/1.2.3.dcm"
std::string relative(const InstanceName& name) {
  return name.study_uid + "/" + name.series_uid + "/" + name.sop_instance_uid + ".dcm";
}

/// Renames and, when they are not there yet, makes the two folders that it goes to.
void rename_into_series(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) == 0) return;
  if (errno != ENOENT) fail_io(to, "be given its name", errno);
  const fs::path series = fs::path(to).parent_path();
  for (const fs::path& folder : {series.parent_path(), series})
    if (::mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST) fail_io(folder.string(), "be made", errno);
  rename_file(from, to);
}

}  // namespace

/// The right to write a path. A second thread that brings the same instance waits, and then finds what the first left.
class Inbox::Reservation {
 public:
  Reservation(Inbox& inbox, const std::string& path) : inbox_(inbox), path_(path) {
    std::unique_lock lock(inbox.mutex_);
    inbox.free_.wait(lock, [&] { return !inbox.underway_.contains(path); });
    inbox.underway_.insert(path);
  }
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;
  ~Reservation() {
    const std::lock_guard lock(inbox_.mutex_);
    inbox_.underway_.erase(path_);
    inbox_.free_.notify_all();
  }

 private:
  Inbox& inbox_;
  const std::string& path_;
};

Inbox::Inbox(const std::string& folder, const JournalSize& journal) : folder_(folder) {
  make_durable_folders(folder_ + "/.incoming");
  lock_ = lock_folder(folder_);
  if (lock_ < 0)
    throw Failure(ErrorCode::invalid_state, "another process receives into '" + folder_ + "'",
                  "end that one, or choose another folder");
  try {
    restore();
    std::error_code error;
    for (const auto& left : fs::directory_iterator(folder_ + "/.incoming", error)) fs::remove(left.path(), error);
    flush_folder(folder_);
    if (journal.segments > 0) journal_ = std::make_unique<Journal>(folder_ + "/.journal", journal);
  } catch (...) {
    ::close(lock_);
    throw;
  }
}

Inbox::~Inbox() {
  journal_.reset();
  ::close(lock_);
}

/// What the page cache holds of a file that is there may never have reached the disk: each one is written again.
void Inbox::restore() {
  const std::string journal = folder_ + "/.journal", file = temporary();
  const FileSystemFlush names(folder_);
  Journal::replay(journal, [&](const std::string& name, std::span<const std::uint8_t> bytes) {
    write_durable(file, bytes, {});
    rename_into_series(file, folder_ + "/" + name);
    ++restored_;
  });
  if (restored_ > 0) names.flush();
  Journal::clear(journal);
}

std::string Inbox::temporary() {
  const std::lock_guard lock(mutex_);
  return folder_ + "/.incoming/" + std::to_string(next_++) + ".part";
}

std::shared_ptr<GroupFlush> Inbox::series_flush(const InstanceName& name) {
  const std::string folder = series_folder(name);
  const std::lock_guard lock(mutex_);
  auto& flush = flushes_[folder];
  if (flush == nullptr || !is_at(flush->file(), folder)) {  // whoever reads the inbox may have removed it
    const std::string study = folder_ + "/" + name.study_uid;
    make_durable_folder(study, folder_);
    make_durable_folder(folder, study);
    if (flushes_.size() > 256)  // descriptors are few; one that is still in use lives on with its users
      std::erase_if(flushes_, [&](const auto& entry) { return entry.first != folder; });
    flushes_[folder] = folder_flush(folder);
  }
  return flushes_[folder];
}

void Inbox::Names::make_durable() const {
  try {
    folder->wait(failures);
  } catch (...) {
    for (const std::string& path : paths) ::unlink(path.c_str());
    throw;
  }
}

Inbox::Names Inbox::rename_part(const std::string& part, const std::string& path, const InstanceName& name) {
  const auto named_in = [&](std::shared_ptr<GroupFlush> folder) {
    const std::uint64_t failures = folder->failures();
    return Names{std::move(folder), failures, {path}};
  };
  Names names = named_in(series_flush(name));
  if (std::rename(part.c_str(), path.c_str()) == 0) return names;
  if (errno != ENOENT) fail_io(path, "be given its name", errno);
  names = named_in(series_flush(name));  // the folder was removed in between
  rename_file(part, path);
  return names;
}

Inbox::Accepted Inbox::keep_first(const std::string& path, const InstanceName& name,
                                  std::span<const std::uint8_t> data_set) {
  require_same(path, name, data_set);
  const auto folder = series_flush(name);  // a process that died may have given it its name and not flushed that
  folder->wait(folder->failures());
  return {path, true};
}

void Inbox::require_names(const InstanceName& name) const {
  for (const std::string* uid : {&name.study_uid, &name.series_uid, &name.sop_instance_uid})
    if (!is_uid(*uid))
      throw Failure(ErrorCode::bad_data, "'" + *uid + "' is no UID",
                    "have the sender write digits and dots, at most 64");
}

Inbox::Accepted Inbox::accept(const InstanceName& name, const std::string& source_ae,
                              std::span<const std::uint8_t> data_set) {
  require_names(name);
  const std::string path = folder_ + "/" + relative(name), part = temporary();
  const Reservation mine(*this, path);
  if (::access(path.c_str(), F_OK) == 0) return keep_first(path, name, data_set);
  const std::vector<std::uint8_t> head = file_head(name, source_ae);
  write_file(part, head, data_set);
  try {
    if (journal_ != nullptr) {
      if (const auto ticket = journal_->append(relative(name), head, data_set)) {
        try {
          rename_into_series(part, path);
        } catch (...) {
          journal_->withdraw(*ticket);
          throw;
        }
        return {path, false};
      }
    }
    flush_file(part);
    rename_part(part, path, name).make_durable();
  } catch (...) {
    ::unlink(part.c_str());
    throw;
  }
  return {path, false};
}

Inbox::Group::Group(Inbox& inbox) : inbox_(inbox), flush_(inbox.folder_) {}

Inbox::Group::~Group() {
  try {
    keep();
  } catch (const std::exception&) {
    drop();
  }
}

void Inbox::Group::add(const InstanceName& name, const std::string& source_ae, std::span<const std::uint8_t> data_set) {
  inbox_.require_names(name);
  Part part{inbox_.temporary(), inbox_.folder_ + "/" + relative(name), name};
  const auto same = std::find_if(parts_.begin(), parts_.end(), [&](const Part& p) { return p.path == part.path; });
  if (same != parts_.end()) return require_same(same->file, name, data_set);
  if (::access(part.path.c_str(), F_OK) == 0) {
    inbox_.keep_first(part.path, name, data_set);
    return;
  }
  write_file(part.file, file_head(name, source_ae), data_set);
  parts_.push_back(std::move(part));
  bytes_ += data_set.size();
  if (bytes_ > longest_group) keep();
}

void Inbox::Group::keep() {
  if (parts_.empty()) return;
  bytes_ = 0;
  try {
    flush_.flush();
  } catch (...) {
    drop();  // Linux tells of a failed write once: a second flush would say that all is well
    throw;
  }
  std::map<std::shared_ptr<GroupFlush>, Names> named;
  std::exception_ptr failure;
  const auto note_failure = [&](const auto& work) {
    try {
      work();
    } catch (...) {
      if (failure == nullptr) failure = std::current_exception();
    }
  };
  note_failure([&] {
    for (; !parts_.empty(); parts_.pop_back()) {
      const Part& part = parts_.back();
      const Names names = inbox_.rename_part(part.file, part.path, part.name);
      const auto [entry, first] = named.try_emplace(names.folder, names);
      if (!first) entry->second.paths.push_back(part.path);
    }
  });
  for (const auto& entry : named) note_failure([&] { entry.second.make_durable(); });
  if (failure != nullptr) std::rethrow_exception(failure);
}

void Inbox::Group::drop() {
  for (const Part& part : parts_) ::unlink(part.file.c_str());
  parts_.clear();
}

}  // namespace isocenter::detail::dicom
