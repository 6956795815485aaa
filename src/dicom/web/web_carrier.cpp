#include "web_carrier.hpp"

#include <algorithm>
#include <filesystem>
#include <isocenter/error.hpp>
#include <nlohmann/json.hpp>

#include "web_query.hpp"
#include "web_status.hpp"
#include "web_store.hpp"

namespace isocenter::detail::dicom {

std::size_t WebCarrier::load(std::span<const Outgoing> waiting) const {
  std::uint64_t bytes = 0;
  std::size_t count = 0;
  for (; count < std::min(batch_, waiting.size()); ++count) {
    bytes += std::filesystem::file_size(waiting[count].path);
    if (count > 0 && bytes > batch_bytes_) break;
  }
  return count;
}

Trip WebCarrier::carry(std::span<const Outgoing> files, const Settle& settle, const std::function<bool()>&) {
  Trip trip;
  trip.offered = files.size();
  try {
    const std::vector<StoreAnswer> answers = web_store(client_, files);
    for (std::size_t i = 0; i < files.size(); ++i) settle(files[i], answers[i]);
    batch_ = std::min(most_, 2 * batch_);
  } catch (const WebFailure& e) {
    const bool too_much = e.status == 413 || e.status == 400 || e.status == 415;
    if (too_much && files.size() == 1) {
      settle(files.front(), {StoreAnswer::Outcome::refused, e.what()});
      return trip;
    }
    // Any other status may be that of something in between, and says nothing about what became of the request.
    const bool not_taken = (e.status >= 400 && e.status < 500 && e.status != 408) || e.status == 501;
    if (not_taken) trip.offered = 0;
    if (e.status != 429) batch_ = (files.size() + 1) / 2;
    if (too_much) most_ = batch_;
    trip.complaint = e.what();
    trip.failed = !too_much;
    trip.hopeless = not_taken && !too_much && e.status != 429;
    trip.wait_s = e.after_s;
  } catch (const Error& e) {
    if (e.code() != ErrorCode::cancelled) trip.complaint = e.what();
    batch_ = (files.size() + 1) / 2;
    trip.failed = true;
  }
  return trip;
}

/// An answer counts when it names the instance: a server may leave out of account what it is asked to match.
bool WebCarrier::has(const InstanceName& name) try {
  const std::vector<std::string> answers = web_find(client_, WebLevel::instance,
                                                    {{"StudyInstanceUID", name.study_uid},
                                                     {"SeriesInstanceUID", name.series_uid},
                                                     {"SOPInstanceUID", name.sop_instance_uid}},
                                                    1000);
  return std::any_of(answers.begin(), answers.end(), [&](const std::string& answer) {
    const auto object = nlohmann::json::parse(answer);  // web_find has checked it
    const auto uid = object.find("00080018");
    return uid != object.end() &&
           uid->value("Value", nlohmann::json::array()) == nlohmann::json::array({name.sop_instance_uid});
  });
} catch (const WebFailure& e) {
  if (e.status == 404) return false;  // some have nothing at a study's address before they have the study
  throw;
}

Attempt WebCarrier::look_up(std::span<const Outgoing> files, const std::function<void(const Outgoing&)>& there) {
  Attempt attempt;
  try {
    for (const Outgoing& file : files)
      if (has(file.name)) there(file);
  } catch (const WebFailure& e) {
    attempt.complaint = e.what();
    attempt.failed = e.status != 405 && e.status != 501;
    attempt.wait_s = e.after_s;
    if (!attempt.failed)
      attempt.complaint = std::to_string(files.size()) + " instances may have been sent before, and " +
                          client_.peer().url +
                          " offers no QIDO-RS to look them up: they are sent again. Fix: have the server answer "
                          "queries, and none is sent twice.";
  } catch (const Error& e) {
    if (e.code() != ErrorCode::cancelled) attempt.complaint = e.what();
    attempt.failed = true;
  }
  return attempt;
}

}  // namespace isocenter::detail::dicom
