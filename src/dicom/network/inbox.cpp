#include "inbox.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <isocenter/error.hpp>
#include <vector>

#include "durable.hpp"

namespace isocenter::detail::dicom {
namespace {

namespace fs = std::filesystem;

/// Whether the file ends with exactly these bytes after a file head: the AE title in the head may differ.
bool holds(const std::string& path, std::span<const std::uint8_t> data_set) {
  std::ifstream file(path, std::ios::binary);
  std::uint8_t head[144] = {};
  file.read(reinterpret_cast<char*>(head), sizeof head);
  if (!file) return false;
  const std::uint32_t group =
      head[140] | head[141] << 8U | head[142] << 16U | static_cast<std::uint32_t>(head[143]) << 24U;
  const std::uint64_t start = sizeof head + std::uint64_t{group};
  std::error_code error;
  if (fs::file_size(path, error) != start + data_set.size() || error) return false;
  file.seekg(static_cast<std::streamoff>(start));
  std::vector<char> piece(1U << 16U);
  while (!data_set.empty()) {
    const std::size_t n = std::min(piece.size(), data_set.size());
    file.read(piece.data(), static_cast<std::streamsize>(n));
    if (!file || !std::equal(data_set.begin(), data_set.begin() + static_cast<std::ptrdiff_t>(n), piece.begin(),
                             [](std::uint8_t a, char b) { return a == static_cast<std::uint8_t>(b); }))
      return false;
    data_set = data_set.subspan(n);
  }
  return true;
}

}  // namespace

Inbox::Inbox(const std::string& folder) : folder_(folder) {
  std::error_code error;
  fs::create_directories(folder_ + "/.incoming", error);
  if (error) fail_io(folder_, "be made", error.value());
  lock_ = lock_folder(folder_);
  if (lock_ < 0)
    throw Failure(ErrorCode::invalid_state, "another process receives into '" + folder_ + "'",
                  "end that one, or choose another folder");
  for (const auto& left : fs::directory_iterator(folder_ + "/.incoming", error)) fs::remove(left.path(), error);
  flush_folder(folder_);
}

Inbox::~Inbox() { ::close(lock_); }

std::shared_ptr<FolderFlush> Inbox::series_flush(const InstanceName& name) {
  const std::string folder = series_folder(name);
  const std::lock_guard lock(mutex_);
  auto& flush = flushes_[folder];
  if (flush == nullptr) {
    const std::string study = folder_ + "/" + name.study_uid;
    make_durable_folder(study, folder_);
    make_durable_folder(folder, study);
    if (flushes_.size() > 256)  // descriptors are few; one that is still in use lives on with its users
      std::erase_if(flushes_, [&](const auto& entry) { return entry.first != folder; });
    flushes_[folder] = std::make_shared<FolderFlush>(folder);
  }
  return flushes_[folder];
}

Inbox::Accepted Inbox::accept(const InstanceName& name, const std::string& source_ae,
                              std::span<const std::uint8_t> data_set) {
  for (const std::string* uid : {&name.study_uid, &name.series_uid, &name.sop_instance_uid})
    if (!is_uid(*uid))
      throw Failure(ErrorCode::bad_data, "'" + *uid + "' is no UID",
                    "have the sender write digits and dots, at most 64");
  const std::shared_ptr<FolderFlush> flush = series_flush(name);
  const std::string path = series_folder(name) + "/" + name.sop_instance_uid + ".dcm";
  std::string temporary;
  {
    const std::lock_guard lock(mutex_);
    temporary = folder_ + "/.incoming/" + std::to_string(next_++) + ".part";
  }
  const auto existing = [&]() -> Accepted {
    if (!holds(path, data_set))
      throw Failure(ErrorCode::invalid_state,
                    "SOPInstanceUID (0008,0018) = " + name.sop_instance_uid + " is here already with other contents",
                    "have the sender give changed instances new UIDs; the first stays");
    flush->wait();  // the thread that renamed it may not have got that far
    return {path, true};
  };
  if (::access(path.c_str(), F_OK) == 0) return existing();
  write_durable(temporary, file_head(name, source_ae), data_set);
  // link refuses an existing name, which rename would replace: two associations may bring the same instance.
  if (::link(temporary.c_str(), path.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary.c_str());
    if (error == EEXIST) return existing();
    fail_io(path, "be given its name", error);
  }
  ::unlink(temporary.c_str());
  flush->wait();
  return {path, false};
}

}  // namespace isocenter::detail::dicom
