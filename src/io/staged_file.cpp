#include "staged_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <isocenter/error.hpp>
#include <random>
#include <system_error>

namespace isocenter::detail::io {
namespace fs = std::filesystem;
namespace {

const char* advice(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return "free space on that disk, raise the limit on file sizes, or write to another folder";
    case EACCES:
    case EPERM:
    case EROFS:
      return "write to a folder that this user may write to, or change its permissions";
    case EISDIR:
      return "give the path of a file, not of a folder";
    case ENOTDIR:
      return "a part of the path is a file: give a path whose folders are folders";
    default:
      return "check the path and the disk";
  }
}

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

}  // namespace

void fail_to_write(const fs::path& path, int error, const std::string& detail) {
  throw Failure(ErrorCode::io_error,
                "cannot write '" + path.string() + "': " + std::generic_category().message(error) +
                    (detail.empty() ? "" : " ") + detail,
                advice(error));
}

fs::path temporary_name(const fs::path& path) {
  require_writable(path);
  std::error_code error;
  fs::create_directories(folder_of(path), error);
  if (error) fail_to_write(path, error.value(), "making its folder");
  std::random_device random;
  const auto number = (static_cast<std::uint64_t>(random()) << 32) | random();
  return folder_of(path) / ("." + path.filename().string() + "." + std::to_string(number) + ".part");
}

void require_writable(const fs::path& path) {
  std::error_code ignored;
  if (!path.has_filename() || fs::is_directory(path, ignored)) fail_to_write(path, EISDIR);
  fs::path folder = folder_of(path);
  while (!fs::exists(folder, ignored)) folder = folder_of(folder);
  if (!fs::is_directory(folder, ignored)) fail_to_write(path, ENOTDIR);
  if (::access(folder.c_str(), W_OK | X_OK) != 0) fail_to_write(path, errno, "in the folder '" + folder.string() + "'");
}

StagedFile::StagedFile(fs::path path) : path_(std::move(path)) {
  temporary_ = temporary_name(path_);
  file_ = ::open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file_ < 0) fail_to_write(path_, errno);
}

StagedFile::~StagedFile() {
  if (file_ >= 0) ::close(file_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void StagedFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(file_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(errno);
    size_ += static_cast<std::uint64_t>(n);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

void StagedFile::overwrite(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(errno);
    offset += static_cast<std::uint64_t>(n);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

void StagedFile::commit() {
  if (::fsync(file_) != 0) fail(errno);
  const int closed = ::close(file_);
  file_ = -1;
  if (closed != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) fail(errno);
  temporary_.clear();
}

void StagedFile::fail(int error) const { fail_to_write(path_, error, "after " + std::to_string(size_) + " bytes"); }

}  // namespace isocenter::detail::io
