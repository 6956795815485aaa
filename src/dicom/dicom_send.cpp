#include <algorithm>
#include <filesystem>
#include <optional>

#include "network/store_carrier.hpp"
#include "network_operators.hpp"
#include "toolkit.hpp"

namespace isocenter::detail::dicom {

std::vector<std::string> files_below(const std::string& path) {
  namespace fs = std::filesystem;
  if (path.empty()) return {};
  if (!fs::exists(path))
    throw Failure(ErrorCode::not_found, "there is no '" + path + "' (path)", "give a DICOM file or a folder");
  if (!fs::is_directory(path)) return {path};
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(path))
    if (entry.is_regular_file() && entry.path().filename() != "DICOMDIR") files.push_back(entry.path().string());
  std::sort(files.begin(), files.end());
  return files;
}

void report_delivery(const RunContext& run, const Outbox::Delivery& done, const std::string& outbox,
                     const char* undone) {
  run.metric("delivered", static_cast<double>(done.delivered));
  run.metric("found_there", static_cast<double>(done.found_there));
  run.metric("refused", static_cast<double>(done.refused));
  run.metric("left", static_cast<double>(done.left));
  for (const std::string& complaint : done.complaints) {
    const auto [what, fix] = what_and_fix(complaint);
    run.warn(what, fix);
  }
  run.check_cancelled();
  const std::string why = done.complaints.empty() ? "" : ": " + what_and_fix(done.complaints.front()).first;
  if (done.left > 0)
    throw Failure(ErrorCode::io_error, std::to_string(done.left) + " instances were " + undone + why,
                  "send again without a path: the outbox '" + outbox + "' has them");
  if (done.refused > 0)
    throw Failure(ErrorCode::bad_data, std::to_string(done.refused) + " instances were refused by the peer" + why,
                  "see the reasons in '" + outbox + "/failed'");
}

void DicomSendOperator::plan(PlanContext& plan) {
  use_dcmtk();
  peer_of(params);
  files_below(params.path);
  plan.items(1);
  if (!params.commit && params.listen_port != 0)
    throw Failure(ErrorCode::invalid_argument,
                  "listen_port = " + std::to_string(params.listen_port) + " without commit",
                  "set commit, or leave listen_port out");
  for (const char* name : {"delivered", "found_there", "committed", "refused", "left"})
    plan.metric(name, "instances", 1);
}

void DicomSendOperator::run(const RunContext& run) {
  if (run.sequence() > 0) throw EndOfStream{};
  const DcmtkLog log;
  Outbox outbox(params.outbox);
  outbox.put(files_below(params.path));
  DeliveryOptions options;
  options.attempts = static_cast<int>(params.attempts);
  options.first_pause_s = params.first_pause_s;
  options.longest_pause_s = params.longest_pause_s;
  const auto total = static_cast<double>(std::max<std::int64_t>(1, outbox.waiting()));
  std::optional<CommitmentOptions> commitment;
  if (params.commit) commitment = {static_cast<int>(params.listen_port), static_cast<int>(params.wait_s)};
  StoreCarrier carrier(peer_of(params), static_cast<int>(params.associations), 100, commitment);
  const auto done = outbox.deliver(
      carrier, options, [&] { return run.cancelled(); },
      [&](const Outbox::Delivery& d) {
        run.progress(static_cast<double>(d.delivered + d.found_there + d.refused) / total);
      });
  if (params.commit) run.metric("committed", static_cast<double>(done.committed));
  report_delivery(run, done, params.outbox, params.commit ? "not sent, or not committed" : "not sent");
}

}  // namespace isocenter::detail::dicom
