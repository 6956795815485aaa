#include "durable.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <isocenter/error.hpp>

namespace isocenter::detail::dicom {
namespace {

const char* fix_for(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return "free some space or choose a folder on another disk";
    case EACCES:
    case EPERM:
    case EROFS:
      return "choose a folder that may be written to";
    default:
      return "check the disk, or choose another folder";
  }
}

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  int get() const { return value_; }

 private:
  int value_;
};

int write_all(int file, std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(file, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return 0;
}

}  // namespace

void fail_io(const std::string& path, const char* doing, int error) {
  throw Failure(ErrorCode::io_error, "'" + path + "' cannot " + doing + ": " + std::strerror(error), fix_for(error));
}

void write_file(const std::string& path, std::span<const std::uint8_t> head, std::span<const std::uint8_t> body) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (file.get() < 0) fail_io(path, "be created", errno);
  int error = write_all(file.get(), head);
  if (error == 0) error = write_all(file.get(), body);
  if (error == 0) return;
  ::unlink(path.c_str());
  fail_io(path, "be written", error);
}

void flush_file(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) fail_io(path, "be opened", errno);
  if (::fsync(file.get()) != 0) fail_io(path, "be flushed", errno);
}

void write_durable(const std::string& path, std::span<const std::uint8_t> head, std::span<const std::uint8_t> body) {
  write_file(path, head, body);
  try {
    flush_file(path);
  } catch (...) {
    ::unlink(path.c_str());
    throw;
  }
}

void flush_folder(const std::string& path) {
  const Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0) fail_io(path, "be opened", errno);
  if (::fsync(folder.get()) != 0) fail_io(path, "be flushed", errno);
}

void make_durable_folder(const std::string& path, const std::string& parent) {
  if (::mkdir(path.c_str(), 0777) != 0 && errno != EEXIST) fail_io(path, "be made", errno);
  flush_folder(parent);
}

void make_durable_folders(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return;
  const std::string parent = std::filesystem::path(path).parent_path().string();
  if (!parent.empty()) make_durable_folders(parent);
  make_durable_folder(path, parent.empty() ? "." : parent);
}

void rename_file(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) fail_io(to, "be given its name", errno);
}

int lock_folder(const std::string& folder) {
  const std::string path = folder + "/.lock";
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (file < 0) fail_io(path, "be created", errno);
  if (::flock(file, LOCK_EX | LOCK_NB) == 0) return file;
  const int error = errno;
  ::close(file);
  if (error == EWOULDBLOCK) return -1;
  fail_io(path, "be locked", error);
}

FileSystemFlush::FileSystemFlush(const std::string& path)
    : path_(path), file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (file_ < 0) fail_io(path, "be opened", errno);
}

FileSystemFlush::~FileSystemFlush() { ::close(file_); }

void FileSystemFlush::flush() const {
  if (::syncfs(file_) != 0) fail_io(path_, "be flushed", errno);
}

std::shared_ptr<GroupFlush> folder_flush(const std::string& path) {
  const int folder = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) fail_io(path, "be opened", errno);
  return std::make_shared<GroupFlush>(path, folder, GroupFlush::What::everything);
}

GroupFlush::~GroupFlush() { ::close(file_); }

std::uint64_t GroupFlush::failures() {
  const std::lock_guard lock(mutex_);
  return failures_;
}

void GroupFlush::wait(std::uint64_t failures) {
  std::unique_lock lock(mutex_);
  const std::uint64_t mine = ++asked_;
  while (done_ < mine) {
    if (busy_) {
      flushed_.wait(lock);
      continue;
    }
    busy_ = true;
    const std::uint64_t until = asked_;
    lock.unlock();
    const int result = what_ == What::data ? ::fdatasync(file_) : ::fsync(file_);
    const int error = result == 0 ? 0 : errno;
    lock.lock();
    busy_ = false;
    done_ = until;
    if (error != 0) {
      ++failures_;
      error_ = error;
    }
    flushed_.notify_all();
  }
  if (failures_ > failures) fail_io(path_, "be flushed", error_);
}

}  // namespace isocenter::detail::dicom
