#pragma once
// Files and folders that survive a crash of the machine. Everything throws Failure(io_error) with the path and the
// system's reason.
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>

namespace isocenter::detail::dicom {

/// Throws Failure(io_error): "'<path>' cannot <doing>: <reason of errno>".
[[noreturn]] void fail_io(const std::string& path, const char* doing, int error);

/// A new file with these bytes, one after the other, flushed to the disk. Removed again when that fails. The name is
/// durable once its folder is flushed.
void write_durable(const std::string& path, std::span<const std::uint8_t> head, std::span<const std::uint8_t> body);
void flush_folder(const std::string& path);
/// Makes a folder if need be, its parent being there, and flushes the parent.
void make_durable_folder(const std::string& path, const std::string& parent);
/// Renames within a file system; the caller flushes the folders.
void rename_file(const std::string& from, const std::string& to);
/// An exclusive lock that the process holds until it closes the descriptor; -1 when another process has it.
int lock_folder(const std::string& folder);

/// Flushes one folder for many threads: those that wait while a flush runs share the next one.
class FolderFlush {
 public:
  explicit FolderFlush(const std::string& path);
  FolderFlush(const FolderFlush&) = delete;
  FolderFlush& operator=(const FolderFlush&) = delete;
  ~FolderFlush();
  /// Returns when a flush that began after this call was made has ended.
  void wait();

 private:
  std::string path_;
  int folder_ = -1;
  std::mutex mutex_;
  std::condition_variable flushed_;
  std::uint64_t asked_ = 0, done_ = 0, failed_ = 0;
  int error_ = 0;
  bool busy_ = false;
};

}  // namespace isocenter::detail::dicom
