#include "output_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <isocenter/error.hpp>

#include "uid.hpp"

namespace isocenter::detail::dicom {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t buffer_bytes = 1U << 20U;

/// A name beside `path` that nobody else uses.
std::string temporary_name(const std::string& path) {
  std::string base = path;
  while (base.size() > 1 && base.back() == '/') base.pop_back();
  const std::string uid = new_uid();
  return base + ".part-" + uid.substr(uid.size() - 12);
}

const char* fix_for(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return "free some space or choose an output on another disk";
    case EACCES:
    case EPERM:
    case EROFS:
      return "choose an output that may be written to";
    case ENOENT:
    case ENOTDIR:
      return "create the folder first";
    default:
      return "check the disk, or choose another output";
  }
}

}  // namespace

OutputFile::OutputFile(const std::string& path) : path_(path), temporary_(temporary_name(path)) {
  require_file_path(path);
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail("be created", errno);
  buffer_.reserve(buffer_bytes);
}

OutputFile::~OutputFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void OutputFile::fail(const char* doing, int error) const {
  throw Failure(ErrorCode::io_error, "'" + path_ + "' cannot " + doing + ": " + std::strerror(error), fix_for(error));
}

void OutputFile::write(std::span<const std::uint8_t> bytes) {
  if (buffer_.size() + bytes.size() > buffer_bytes) flush();
  if (bytes.size() < buffer_bytes) {
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
    return;
  }
  while (!bytes.empty()) {
    const ssize_t n = ::write(descriptor_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("be written", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

void OutputFile::flush() {
  for (std::span<const std::uint8_t> left = buffer_; !left.empty();) {
    const ssize_t n = ::write(descriptor_, left.data(), left.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("be written", errno);
    left = left.subspan(static_cast<std::size_t>(n));
  }
  buffer_.clear();
}

void OutputFile::commit() {
  flush();
  if (::fsync(descriptor_) != 0 && errno != EINVAL) fail("be written", errno);
  if (::close(descriptor_) != 0) {
    const int error = errno;
    descriptor_ = -1;
    ::unlink(temporary_.c_str());
    fail("be written", error);
  }
  descriptor_ = -1;
  if (::rename(temporary_.c_str(), path_.c_str()) == 0) return;
  const int error = errno;
  ::unlink(temporary_.c_str());
  fail("be given its name", error);
}

OutputFolder::OutputFolder(const std::string& path) : path_(path), temporary_(temporary_name(path)) {
  require_free_folder(path);
  std::error_code error;
  const fs::path parent = fs::path(temporary_).parent_path();
  if (!parent.empty()) fs::create_directories(parent, error);
  if (!error) fs::create_directory(temporary_, error);
  if (error)
    throw Failure(ErrorCode::io_error, "the folder '" + path + "' cannot be created: " + error.message(),
                  fix_for(error.value()));
}

OutputFolder::~OutputFolder() {
  std::error_code ignored;
  if (!committed_) fs::remove_all(temporary_, ignored);
}

void OutputFolder::commit() {
  require_free_folder(path_);
  std::error_code error;
  fs::rename(temporary_, path_, error);  // an empty folder of that name is replaced
  if (error)
    throw Failure(ErrorCode::io_error, "the folder '" + path_ + "' cannot be given its name: " + error.message(),
                  fix_for(error.value()));
  committed_ = true;
}

void require_file_path(const std::string& path) {
  std::error_code error;
  if (path.empty()) throw Failure(ErrorCode::invalid_argument, "the output path is empty", "name a file");
  if (fs::is_directory(fs::status(path, error)))
    throw Failure(ErrorCode::invalid_argument, "'" + path + "' is a folder", "name a file");
  const fs::path parent = fs::path(path).parent_path();
  if (!parent.empty() && !fs::is_directory(fs::status(parent, error)))
    throw Failure(ErrorCode::not_found, "the folder '" + parent.string() + "' does not exist", "create it first");
}

void require_free_folder(const std::string& path) {
  std::error_code error;
  if (path.empty()) throw Failure(ErrorCode::invalid_argument, "the output path is empty", "name a folder");
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) return;
  if (!fs::is_directory(status))
    throw Failure(ErrorCode::invalid_argument, "the output folder '" + path + "' is a file", "choose another name");
  if (!fs::is_empty(path, error))
    throw Failure(ErrorCode::invalid_argument, "the output folder '" + path + "' is not empty",
                  "choose a new folder, or empty this one first");
}

std::string numbered_path(const std::string& pattern, std::int64_t number) {
  const std::size_t at = pattern.find('%');
  if (at == std::string::npos) {
    if (number == 0) return pattern;
    throw Failure(ErrorCode::invalid_argument, "'" + pattern + "' has no place for the number of a second item",
                  "put %02d where the number shall stand");
  }
  std::size_t end = at + 1;
  std::size_t width = 0;
  while (end < pattern.size() && pattern[end] >= '0' && pattern[end] <= '9' && width < 10)
    width = width * 10 + static_cast<std::size_t>(pattern[end++] - '0');
  if (end >= pattern.size() || pattern[end] != 'd' || width > 10 || pattern.find('%', end) != std::string::npos)
    throw Failure(ErrorCode::invalid_argument, "'" + pattern + "' holds a percent sign that is not one %d or %02d",
                  "leave it away, or write the item's number as %02d");
  std::string digits = std::to_string(number);
  if (digits.size() < width) digits.insert(0, width - digits.size(), '0');
  return pattern.substr(0, at) + digits + pattern.substr(end + 1);
}

}  // namespace isocenter::detail::dicom
