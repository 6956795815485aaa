#pragma once
// Where a run writes: made or found empty before it starts, listed when it ends.
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace isocenter::command {

class OutputFolder {
 public:
  /// Makes the folder with its parents. Refuses a file, a folder that cannot be written to, and, unless `force`, one
  /// that holds anything but the report of a run that failed.
  OutputFolder(const std::filesystem::path& path, bool force);

  const std::filesystem::path& path() const { return path_; }

  /// Files that are new or changed since the folder was opened. A folder below it is one entry.
  struct Entry {
    std::filesystem::path path;
    bool is_folder = false;
    std::uint64_t files = 0, bytes = 0;
  };
  std::vector<Entry> written() const;

 private:
  using Stamp = std::pair<std::filesystem::file_time_type, std::uint64_t>;
  std::map<std::string, Stamp> files() const;

  std::filesystem::path path_;
  std::map<std::string, Stamp> before_;
};

/// What a person does with a result, from its name: "open it in a browser".
std::string how_to_look(const OutputFolder::Entry& entry);

}  // namespace isocenter::command
