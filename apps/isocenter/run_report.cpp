#include "run_report.hpp"

#include <cstdio>
#include <ctime>

#include "core/text.hpp"
#include "interrupt.hpp"
#include "io/staged_file.hpp"

namespace isocenter::command {
namespace {

using Json = nlohmann::ordered_json;

std::string padded(const std::string& text, std::size_t width, bool right = false) {
  const std::string space(text.size() < width ? width - text.size() : 0, ' ');
  return right ? space + text : text + space;
}

std::string seconds_text(double s) {
  char text[32];
  std::snprintf(text, sizeof text, s < 10 ? "%.2f s" : "%.1f s", s);
  return text;
}

std::string number_text(double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", v);
  return text;
}

std::string metric_text(const std::string& name, const Json& metric) {
  std::string text = name + " ";
  const auto& values = metric.at("values");
  constexpr std::size_t most = 8;
  for (std::size_t i = 0; i < values.size() && i < most; ++i)
    text += (i == 0 ? "" : ", ") + (values[i].is_number() ? number_text(values[i].get<double>()) : "none");
  if (values.size() > most) text += ", ...";
  const std::string unit = metric.value("unit", "");
  return text + (unit.empty() ? "" : " " + unit);
}

}  // namespace

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

Json make_report(const RunRecord& record, const Session* session, const std::vector<OutputFolder::Entry>& written) {
  Json report = session != nullptr ? Json::parse(session->report()) : Json::object({{"isocenter", version()}});
  if (record.exit_code == exit_cancelled)
    report["status"] = "cancelled";
  else if (record.exit_code != exit_ok)
    report["status"] = "failed";
  report["exit_code"] = static_cast<int>(record.exit_code);
  if (!record.error.empty()) report["error"] = record.error;
  report["started"] = record.started;
  report["ended"] = utc_now();
  report["pipeline"] = {{"file", record.file}, {"name", record.name}, {"description", record.description}};
  report["variables"] = record.variables;
  report["settings"] = record.settings;
  report["memory_budget_bytes"] = record.memory_budget_bytes;
  Json files = Json::array();
  for (const auto& entry : written)
    files.push_back({{"path", entry.path.string()}, {"files", entry.files}, {"bytes", entry.bytes}});
  report["written"] = files;
  return report;
}

void write_text(const std::filesystem::path& path, const std::string& text) {
  const interrupt::Completing completing;
  detail::io::StagedFile file(path);
  file.write(text);
  file.commit();
}

void write_json(const std::filesystem::path& path, const Json& json) {
  // File names may hold bytes that are no UTF-8: they become U+FFFD.
  write_text(path, json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

std::string summary(const Json& report) {
  std::size_t width = 4;
  for (const auto& node : report.at("nodes")) width = std::max(width, node.at("name").get<std::string>().size());
  std::string text = "  " + padded("node", width) + "   items       time     memory  device\n";
  for (const auto& node : report.at("nodes")) {
    const auto& memory = node.at("memory_bytes");
    unsigned long long bytes = 0;
    for (const auto& [what, n] : memory.items()) bytes += n.get<unsigned long long>();
    text += "  " + padded(node.at("name"), width) +
            padded(std::to_string(node.at("items").get<std::int64_t>()), 8, true) +
            padded(seconds_text(node.at("time_s").at("total")), 11, true) +
            padded(detail::format_bytes(bytes), 11, true) + "  " + node.at("device").get<std::string>() + "\n";
    for (const auto& [name, metric] : node.at("metrics").items())
      text += "  " + std::string(width, ' ') + "   " + metric_text(name, metric) + "\n";
  }
  return text;
}

}  // namespace isocenter::command
