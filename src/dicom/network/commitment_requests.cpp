#include "commitment_requests.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <isocenter/error.hpp>
#include <sstream>

#include "durable.hpp"
#include "peer.hpp"

namespace isocenter::detail::dicom {
namespace {

constexpr std::size_t most_requests = 64;

std::int64_t now_s() {
  using std::chrono::system_clock;
  return std::chrono::duration_cast<std::chrono::seconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace

CommitmentRequests::CommitmentRequests(const std::string& path) : path_(path) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    Request request;
    if (!(words >> request.uid >> request.asked_at_s >> request.accepted) || !is_uid(request.uid))
      throw Failure(ErrorCode::bad_data, "'" + path + "' is no list of storage commitments that were asked for",
                    "remove it: they are asked for again");
    all_.push_back(std::move(request));
  }
}

void CommitmentRequests::ask(const std::string& transaction) {
  all_.push_back({transaction, now_s(), false});
  if (all_.size() > most_requests) all_.erase(all_.begin());
  keep();
}

void CommitmentRequests::accept() {
  if (all_.empty()) return;
  all_.back().accepted = true;
  keep();
}

void CommitmentRequests::clear() {
  all_.clear();
  if (!path_.empty()) ::unlink(path_.c_str());
}

bool CommitmentRequests::has(const std::string& transaction) const {
  return std::any_of(all_.begin(), all_.end(), [&](const Request& r) { return r.uid == transaction; });
}

double CommitmentRequests::seconds_since_accepted() const {
  if (all_.empty() || !all_.back().accepted) return -1;
  return static_cast<double>(std::max<std::int64_t>(0, now_s() - all_.back().asked_at_s));
}

void CommitmentRequests::keep() const {
  if (path_.empty()) return;
  std::string text;
  for (const Request& r : all_)
    text += r.uid + " " + std::to_string(r.asked_at_s) + " " + (r.accepted ? "1" : "0") + "\n";
  write_durable(path_ + ".new", {}, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  rename_file(path_ + ".new", path_);
  flush_folder(std::filesystem::path(path_).parent_path().string());
}

}  // namespace isocenter::detail::dicom
