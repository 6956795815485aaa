#pragma once
// report.json, and what of it stands on the terminal at the end.
#include <cstdint>
#include <filesystem>
#include <isocenter/isocenter.hpp>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "command.hpp"
#include "output_folder.hpp"

namespace isocenter::command {

/// How a run came to its end, and all that the session does not know itself.
struct RunRecord {
  std::string file, name, description;
  std::map<std::string, std::string> variables;
  std::vector<std::string> settings;  ///< --set
  std::string started;                ///< UTC, ISO 8601
  std::uint64_t memory_budget_bytes = 0;
  ExitCode exit_code = exit_ok;
  std::string error;  ///< "" when it went well
};

/// The time now as "2026-01-31T12:00:00Z".
std::string utc_now();

/// The session's report (nullptr: it could not be prepared) with the record around it.
nlohmann::ordered_json make_report(const RunRecord& record, const Session* session,
                                   const std::vector<OutputFolder::Entry>& written);

/// Appears whole or not at all; throws Error.
void write_json(const std::filesystem::path& path, const nlohmann::ordered_json& json);
void write_text(const std::filesystem::path& path, const std::string& text);

/// A table of the nodes with items, time and memory, and what they measured.
std::string summary(const nlohmann::ordered_json& report);

}  // namespace isocenter::command
