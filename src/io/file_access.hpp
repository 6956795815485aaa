#pragma once
// Reading files: one place for what can go wrong with them.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace isocenter::detail::io {

/// A file open for reading. Errors: not_found when there is none, io_error with the system's reason.
class InputFile {
 public:
  explicit InputFile(std::filesystem::path path);
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  ~InputFile();

  std::uint64_t size() const { return size_; }
  const std::filesystem::path& path() const { return path_; }
  /// Fills `bytes` from `offset` as far as the file goes and returns how many there were.
  std::size_t read(std::uint64_t offset, std::span<std::byte> bytes) const;

 private:
  [[noreturn]] void fail(int error) const;

  std::filesystem::path path_;
  int file_ = -1;
  std::uint64_t size_ = 0;
};

/// A whole file.
std::vector<std::byte> read_file(const std::filesystem::path& path);

}  // namespace isocenter::detail::io
