#pragma once
// Files that appear whole or not at all.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace isocenter::detail::io {

/// A file being written under a temporary name in the folder of its final one. commit() makes it durable (fsync) and
/// renames it, replacing a file of that name; without commit nothing is left behind. Missing folders are made.
/// Errors: io_error with the path, the system's reason and what was written so far.
class StagedFile {
 public:
  explicit StagedFile(std::filesystem::path path);
  StagedFile(const StagedFile&) = delete;
  StagedFile& operator=(const StagedFile&) = delete;
  ~StagedFile();

  /// Appends.
  void write(std::span<const std::byte> bytes);
  void write(const std::string& text) { write(std::as_bytes(std::span(text))); }
  /// Overwrites bytes that were appended before.
  void overwrite(std::uint64_t offset, std::span<const std::byte> bytes);
  std::uint64_t size() const { return size_; }
  const std::filesystem::path& path() const { return path_; }
  void commit();

 private:
  [[noreturn]] void fail(int error) const;

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int file_ = -1;
  std::uint64_t size_ = 0;
};

/// What can be told of a path before anything is written: it names a file, and the folder (or the nearest one that
/// exists) can be written to. Throws as StagedFile does.
void require_writable(const std::filesystem::path& path);

/// A name beside `path` that begins with a dot and that no other writer has; makes the missing folders. Throws as
/// StagedFile does.
std::filesystem::path temporary_name(const std::filesystem::path& path);

/// Throws io_error: the path, the system's reason (an errno), a detail behind it, and what to do about that reason.
[[noreturn]] void fail_to_write(const std::filesystem::path& path, int error, const std::string& detail = {});

}  // namespace isocenter::detail::io
