#pragma once
// Files that other people's code writes by name, and that appear whole or not at all.
#include <cstdint>
#include <filesystem>

namespace isocenter::detail::itk_io {

/// A hidden folder beside a file, where it is written under its own name, with what belongs to it (the data file of a
/// header). commit() makes all of it durable (fsync) and renames it into place, the file itself last; without commit
/// nothing is left behind. Missing folders are made. Errors: io_error with the path and the system's reason.
class StagedFolder {
 public:
  explicit StagedFolder(std::filesystem::path path);
  StagedFolder(const StagedFolder&) = delete;
  StagedFolder& operator=(const StagedFolder&) = delete;
  ~StagedFolder();

  /// Where to write.
  std::filesystem::path inner_path() const { return folder_ / path_.filename(); }
  /// Fails as a write does unless a file of so many bytes fits on the disk now. ITK itself would print, report success
  /// or end the process.
  void require_room(std::uint64_t bytes) const;
  /// Keeps so many bytes of the disk for the file, which is being written; where the file system can.
  void hold_room(std::uint64_t bytes) const;
  void commit();

 private:
  std::filesystem::path path_, folder_;
};

}  // namespace isocenter::detail::itk_io
