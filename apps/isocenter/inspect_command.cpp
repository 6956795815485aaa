// isocenter inspect: what DICOM series a folder holds, and what is wrong with them.
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "command.hpp"

namespace isocenter::command {
namespace {

/// The fact `key` that the node of a prepared pipeline of one node gives.
std::string fact(const Session& session, const char* key) {
  return nlohmann::json::parse(session.report()).at("nodes").at(0).at("facts").at(key).get<std::string>();
}

/// A series that can become a volume has a stack with a place in the patient that is no localiser.
bool has_volume(const nlohmann::json& report) {
  for (const auto& series : report.at("series"))
    for (const auto& stack : series.at("stacks"))
      if (stack.at("has_geometry") == true && stack.at("localiser") == false) return true;
  return false;
}

/// The dicom module does the work while dicom_inspect is planned; what it found are the node's facts.
ExitCode inspect(const Globals& globals, const std::string& path, bool json) {
  if (!std::filesystem::exists(path))
    throw Exit(exit_input, "there is no '" + path + "'. Fix: give a folder with DICOM files, or one such file.");
  const Context context = make_context(globals);
  if (isocenter_operator_find(context.get(), "dicom_inspect") == nullptr)
    throw Exit(exit_usage, "this installation has no dicom module. Fix: see 'isocenter modules' for the reason.");
  const bool terminal = isatty(STDERR_FILENO) != 0;
  if (terminal) std::cerr << "reading the headers of " << path << " ..." << std::flush;
  Pipeline pipeline(context);
  pipeline.add("inspect", "dicom_inspect");
  pipeline.set("inspect", "path", path);
  Session session;
  try {
    session = pipeline.prepare();
  } catch (const Error& e) {
    throw Exit(exit_code(e.code(), e.what(), {Origin::Phase::planning, true}), e.what());
  }
  if (terminal) std::cerr << "\r\x1b[K";
  const std::string report = fact(session, "dicom.report");
  std::cout << (json ? report : fact(session, "dicom.report.text"));
  return has_volume(nlohmann::json::parse(report)) ? exit_ok : exit_input;
}

}  // namespace

void add_inspect(CLI::App& app, const Globals& globals, Action& action) {
  struct Options {
    std::string path;
    bool json = false;
  };
  auto o = std::make_shared<Options>();
  auto* sub = app.add_subcommand("inspect", "Shows the DICOM series of a folder, and what is wrong with them");
  sub->add_option("PATH", o->path, "A folder, searched with all below it, or one file")->required()->type_name("");
  sub->add_flag("--json", o->json, "As JSON (keys: docs/dicom/README.md)");
  sub->footer(
      "Examples:\n  isocenter inspect scan/\n  isocenter inspect scan/ --json\n\n"
      "Ends with 0 when at least one volume could be loaded, else with 3.");
  sub->callback([o, &globals, &action] { action = [o, &globals] { return inspect(globals, o->path, o->json); }; });
}

}  // namespace isocenter::command
