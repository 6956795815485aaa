#include "file_access.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <isocenter/error.hpp>
#include <system_error>

namespace isocenter::detail::io {

InputFile::InputFile(std::filesystem::path path) : path_(std::move(path)) {
  file_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (file_ < 0) fail(errno);
  struct stat status {};
  if (::fstat(file_, &status) != 0 || !S_ISREG(status.st_mode)) {
    const int error = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
    ::close(file_);
    fail(error);
  }
  size_ = static_cast<std::uint64_t>(status.st_size);
}

InputFile::~InputFile() { ::close(file_); }

std::size_t InputFile::read(std::uint64_t offset, std::span<std::byte> bytes) const {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::pread(file_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(errno);
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

void InputFile::fail(int error) const {
  const bool missing = error == ENOENT || error == ENOTDIR;
  throw Failure(missing ? ErrorCode::not_found : ErrorCode::io_error,
                "cannot read '" + path_.string() + "': " + std::generic_category().message(error),
                error == EISDIR   ? "give the path of a file, not of a folder"
                : missing         ? "check the path; relative ones start at the working folder"
                : error == EACCES ? "give this user the right to read it"
                                  : "check the disk and that it is a plain file");
}

std::vector<std::byte> read_file(const std::filesystem::path& path) {
  const InputFile file(path);
  std::vector<std::byte> bytes(file.size());
  bytes.resize(file.read(0, bytes));
  return bytes;
}

}  // namespace isocenter::detail::io
