#include "output_folder.hpp"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "command.hpp"

namespace isocenter::command {
namespace fs = std::filesystem;
namespace {

bool is_report_of_a_failed_run(const fs::path& path) {
  if (path.filename() != "report.json") return false;
  std::ifstream file(path);
  const auto report = nlohmann::json::parse(file, nullptr, false);
  return report.is_object() && report.value("status", "") != "completed";
}

void require_empty(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (is_report_of_a_failed_run(entry.path())) continue;
    throw Exit(exit_usage, "the output folder '" + folder.string() + "' is not empty: it holds '" +
                               entry.path().filename().string() +
                               "'. Fix: give another --output, empty it, or add --force to write into it.");
  }
}

[[noreturn]] void refuse(const fs::path& path, const std::error_code& error) {
  const bool full = error == std::errc::no_space_on_device;
  throw Exit(full ? exit_resources : exit_usage,
             "the output folder '" + path.string() + "' cannot be used: " + error.message() +
                 ". Fix: " + (full ? "free space there" : "give --output a folder that this user may write to") + ".");
}

}  // namespace

OutputFolder::OutputFolder(const fs::path& path, bool force) : path_(path) {
  std::error_code error;
  const auto status = fs::status(path_, error);
  if (fs::exists(status) && !fs::is_directory(status))
    throw Exit(exit_usage, "--output '" + path_.string() + "' is a file. Fix: give the path of a folder.");
  fs::create_directories(path_, error);
  if (error) refuse(path_, error);
  if (::access(path_.c_str(), R_OK | W_OK | X_OK) != 0) refuse(path_, {errno, std::generic_category()});
  if (!force) require_empty(path_);
  before_ = files();
}

std::map<std::string, OutputFolder::Stamp> OutputFolder::files() const {
  std::map<std::string, Stamp> all;
  std::error_code error;
  for (fs::recursive_directory_iterator at(path_, fs::directory_options::skip_permission_denied, error), end;
       !error && at != end; at.increment(error)) {
    std::error_code gone;
    if (!at->is_regular_file(gone) || gone) continue;
    all[at->path().string()] = {at->last_write_time(gone), at->file_size(gone)};
  }
  return all;
}

std::vector<OutputFolder::Entry> OutputFolder::written() const {
  std::map<fs::path, Entry> entries;
  for (const auto& [name, stamp] : files()) {
    const auto old = before_.find(name);
    if (old != before_.end() && old->second == stamp) continue;
    const fs::path relative = fs::path(name).lexically_relative(path_);
    const fs::path first = *relative.begin();
    Entry& entry = entries[first];
    entry.path = path_ / first;
    entry.is_folder = first != relative;
    ++entry.files;
    entry.bytes += stamp.second;
  }
  std::vector<Entry> all;
  for (auto& [name, entry] : entries) all.push_back(std::move(entry));
  return all;
}

std::string how_to_look(const OutputFolder::Entry& entry) {
  const std::string name = entry.path.filename().string();
  const auto ends = [&](const char* ending) {
    const std::string e = ending;
    return name.size() > e.size() && name.compare(name.size() - e.size(), e.size(), e) == 0;
  };
  if (name == "report.json") return "what was read, and each node's time, memory and parameters";
  if (entry.is_folder) return "a folder; a DICOM viewer opens it when it holds a series";
  if (ends(".webm") || ends(".mp4") || ends(".mkv")) return "a video; open it in a browser";
  if (ends(".png")) return "a picture";
  if (ends(".dcm")) return "DICOM; open it together with the source series in a DICOM viewer";
  if (ends(".nii") || ends(".nii.gz") || ends(".mha") || ends(".mhd") || ends(".nrrd"))
    return "a volume, or a stack of projections; 3D Slicer and ITK-SNAP open it";
  return ends(".json") ? "JSON" : "";
}

}  // namespace isocenter::command
