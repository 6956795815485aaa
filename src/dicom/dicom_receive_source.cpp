#include <sstream>

#include "network_operators.hpp"
#include "toolkit.hpp"

namespace isocenter::detail::dicom {
namespace {

std::vector<std::string> titles(const std::string& text) {
  std::vector<std::string> all;
  std::istringstream stream(text);
  for (std::string title; std::getline(stream, title, ',');) {
    title.erase(0, title.find_first_not_of(' '));
    title.erase(title.find_last_not_of(' ') + 1);
    require_ae_title("calling_aes", title);
    all.push_back(title);
  }
  return all;
}

ListenerOptions listener_options(const DicomReceiveSource::Params& params) {
  ListenerOptions o;
  o.ae_title = params.ae_title;
  o.port = static_cast<int>(params.port);
  o.calling_aes = titles(params.calling_aes);
  o.any_called_ae = params.any_called_ae;
  o.associations = static_cast<int>(params.associations);
  o.timeout_s = static_cast<int>(params.timeout_s);
  o.series_idle_s = static_cast<int>(params.idle_s);
  o.max_pdu = static_cast<long>(params.max_pdu);
  o.max_instance_bytes = static_cast<std::uint64_t>(params.max_instance_mib) << 20U;
  constexpr std::int64_t segment_mib = 32, fewest_mib = 2 * segment_mib;
  if (params.journal_mib != 0 && params.journal_mib < fewest_mib)
    throw Failure(ErrorCode::invalid_argument,
                  "journal_mib = " + std::to_string(params.journal_mib) + " is less than a journal needs",
                  "set it to 64 or more, or to 0 for no journal");
  o.journal.segments = static_cast<int>(params.journal_mib / segment_mib);
  o.tls = tls_of(params);
  return o;
}

}  // namespace

std::pair<std::string, std::string> what_and_fix(const std::string& text) {
  const std::string mark = ". Fix: ";
  const std::size_t at = text.find(mark);
  if (at == std::string::npos) return {text, "see the peer's log"};
  std::string fix = text.substr(at + mark.size());
  while (!fix.empty() && fix.back() == '.') fix.pop_back();
  return {text.substr(0, at), fix};
}

void Reception::open(const DicomReceiveSource::Params& params) {
  use_dcmtk();
  listener_.reset();  // a pipeline may be planned again
  listener_ = std::make_unique<Listener>(listener_options(params), params.inbox);
}

std::string Reception::next_series(const std::function<bool()>& give_up, const Complain& complain) {
  while (!give_up()) {
    const auto event = listener_->next(std::chrono::milliseconds(100));
    if (!event) continue;
    if (event->kind == ListenerEvent::Kind::series) return event->path;
    if (event->kind == ListenerEvent::Kind::instance) continue;
    const auto [what, fix] = what_and_fix(event->text);
    complain(what, fix);
  }
  return "";
}

void DicomReceiveOperator::plan(PlanContext& plan) {
  for (const char* name : {"series", "instances"}) plan.metric(name, name, 1);
  plan.items(params.series > 0 ? params.series : -1);
  reception_.open(params);
}

void DicomReceiveOperator::run(const RunContext& run) {
  const DcmtkLog log;
  if (params.series > 0 && series_ >= params.series) throw EndOfStream{};
  reception_.next_series([&] { return run.cancelled(); },
                         [&](const std::string& what, const std::string& fix) { run.warn(what, fix); });
  run.metric("instances", static_cast<double>(reception_.accepted()));
  run.check_cancelled();
  run.metric("series", static_cast<double>(++series_));
}

void DicomReceiveSourceOperator::plan(PlanContext& plan) {
  for (const char* name : {"series", "instances"}) plan.metric(name, name, 1);
  plan.items(params.series > 0 ? params.series : -1);
  reception_.open(params);
  const DcmtkLog log;
  const auto start = std::chrono::steady_clock::now();
  first_ = reception_.next_series(
      [&] {
        return params.wait_s > 0 && std::chrono::steady_clock::now() - start > std::chrono::seconds(params.wait_s);
      },
      [&](const std::string& what, const std::string& fix) { plan.warn(what, fix); });
  if (first_.empty())
    throw Failure(ErrorCode::timeout, "no series came in " + std::to_string(params.wait_s) + " s (wait_s)",
                  "check that the sender has our AE title, address and port, or wait longer");
  volumes_.describe(first_, Workers(plan.launcher()), plan.output("output"));
}

void DicomReceiveSourceOperator::run(const RunContext& run) {
  const DcmtkLog log;
  if (params.series > 0 && series_ >= params.series) throw EndOfStream{};
  std::string folder = std::exchange(first_, "");
  if (folder.empty())
    folder = reception_.next_series([&] { return run.cancelled(); },
                                    [&](const std::string& what, const std::string& fix) { run.warn(what, fix); });
  run.metric("instances", static_cast<double>(reception_.accepted()));
  run.check_cancelled();
  run.metric("series", static_cast<double>(++series_));
  volumes_.load(folder, run);
}

}  // namespace isocenter::detail::dicom
