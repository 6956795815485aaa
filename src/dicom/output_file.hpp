#pragma once
// Files that are there whole or not at all: written under a temporary name beside their place, then renamed.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace isocenter::detail::dicom {

/// One file being written. Every member that writes throws Failure(io_error) with the path and the cause (disk full, no
/// permission, ...); whatever was written is removed unless commit was reached.
class OutputFile {
 public:
  explicit OutputFile(const std::string& path);
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile();

  const std::string& path() const { return path_; }
  void write(std::span<const std::uint8_t> bytes);
  /// Flushes to the disk and renames; a file of the same name is replaced.
  void commit();

 private:
  void flush();
  [[noreturn]] void fail(const char* doing, int error) const;

  std::string path_;
  std::string temporary_;
  int descriptor_ = -1;
  std::vector<std::uint8_t> buffer_;
};

/// A folder of files that appears whole: made under a temporary name, then renamed.
class OutputFolder {
 public:
  /// Throws Failure when `path` is a file or a folder that is not empty.
  explicit OutputFolder(const std::string& path);
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;
  ~OutputFolder();

  /// Where to write the files until commit.
  const std::string& temporary() const { return temporary_; }
  void commit();

 private:
  std::string path_;
  std::string temporary_;
  bool committed_ = false;
};

/// Throws Failure when `path` is a folder, or its own folder does not exist.
void require_file_path(const std::string& path);
/// Throws Failure unless `path` is free for a folder: not there, or empty.
void require_free_folder(const std::string& path);

/// "phase_%02d": one %d, with or without a width, stands for the item's number. Without one only item 0 is allowed.
/// Throws Failure(invalid_argument).
std::string numbered_path(const std::string& pattern, std::int64_t number);

}  // namespace isocenter::detail::dicom
