#pragma once
// Files and folders that survive a crash of the machine. Everything throws Failure(io_error) with the path and the
// system's reason.
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>

namespace isocenter::detail::dicom {

/// Throws Failure(io_error): "'<path>' cannot <doing>: <reason of errno>".
[[noreturn]] void fail_io(const std::string& path, const char* doing, int error);

/// A new file with these bytes, one after the other; not flushed. Removed again when that fails.
void write_file(const std::string& path, std::span<const std::uint8_t> head, std::span<const std::uint8_t> body);
void flush_file(const std::string& path);
/// Both. The name is durable once its folder is flushed.
void write_durable(const std::string& path, std::span<const std::uint8_t> head, std::span<const std::uint8_t> body);
void flush_folder(const std::string& path);
/// Makes a folder if need be, its parent being there, and flushes the parent.
void make_durable_folder(const std::string& path, const std::string& parent);
/// Makes a folder and those above it that are not there, and flushes the parent of each that it makes.
void make_durable_folders(const std::string& path);
/// Renames within a file system; the caller flushes the folders.
void rename_file(const std::string& from, const std::string& to);
/// An exclusive lock that the process holds until it closes the descriptor; -1 when another process has it.
int lock_folder(const std::string& folder);

/// Flushes all that was written to the file system on which `path` is. Made before the first write that it has to
/// answer for: errors that another flush was told before are not told to a descriptor that is opened later. Linux
/// tells of failed writes there from 5.8 on.
class FileSystemFlush {
 public:
  explicit FileSystemFlush(const std::string& path);
  FileSystemFlush(const FileSystemFlush&) = delete;
  FileSystemFlush& operator=(const FileSystemFlush&) = delete;
  ~FileSystemFlush();
  void flush() const;

 private:
  std::string path_;
  int file_;
};

/// A file or folder that many threads want flushed: those that wait while a flush runs share the next one.
class GroupFlush {
 public:
  enum class What { everything, data };  ///< data: not the time of the last change (fdatasync)
  /// Takes `file` and closes it in the end.
  GroupFlush(const std::string& path, int file, What what) : path_(path), file_(file), what_(what) {}
  GroupFlush(const GroupFlush&) = delete;
  GroupFlush& operator=(const GroupFlush&) = delete;
  ~GroupFlush();
  /// How many of its flushes have failed: to be noted before a change that wait() has to answer for.
  std::uint64_t failures();
  /// Returns when a flush that began after this call was made has ended; throws when one has failed since there were
  /// `failures`. Linux tells of a failed write once, and whoever was told may not be who wrote.
  void wait(std::uint64_t failures);
  int file() const { return file_; }

 private:
  std::string path_;
  int file_;
  What what_;
  std::mutex mutex_;
  std::condition_variable flushed_;
  std::uint64_t asked_ = 0, done_ = 0, failures_ = 0;
  int error_ = 0;
  bool busy_ = false;
};
/// Of a folder: the names in it.
std::shared_ptr<GroupFlush> folder_flush(const std::string& path);

}  // namespace isocenter::detail::dicom
