// isocenter inspect: what DICOM series a folder holds, and what is wrong with them.
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

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

struct Options {
  std::string path;
  bool json = false;
  bool header = false;
  std::vector<std::string> attributes;
};

/// The dicom module does the work while dicom_inspect is planned; what it found are the node's facts.
ExitCode inspect(const Globals& globals, const Options& o) {
  if (!std::filesystem::exists(o.path))
    throw Exit(exit_input, "there is no '" + o.path + "'. Fix: give a folder with DICOM files, or one such file.");
  const Context context = make_context(globals);
  if (isocenter_operator_find(context.get(), "dicom_inspect") == nullptr)
    throw Exit(exit_usage, "this installation has no dicom module. Fix: see 'isocenter modules' for the reason.");
  const bool terminal = isatty(STDERR_FILENO) != 0;
  if (terminal) std::cerr << "reading the headers of " << o.path << " ..." << std::flush;
  Pipeline pipeline(context);
  pipeline.add("inspect", "dicom_inspect");
  pipeline.set("inspect", "path", o.path);
  if (o.header) pipeline.set("inspect", "header", "true");
  std::string attributes;
  for (const std::string& name : o.attributes) attributes += (attributes.empty() ? "" : " ") + name;
  pipeline.set("inspect", "attributes", attributes);
  Session session;
  try {
    session = pipeline.prepare();
  } catch (const Error& e) {
    throw Exit(exit_code(e.code(), e.what(), {Origin::Phase::planning, true}), e.what());
  }
  if (terminal) std::cerr << "\r\x1b[K";
  const std::string report = fact(session, "dicom.report");
  std::cout << (o.json ? report : fact(session, "dicom.report.text"));
  return has_volume(nlohmann::json::parse(report)) ? exit_ok : exit_input;
}

}  // namespace

void add_inspect(CLI::App& app, const Globals& globals, Action& action) {
  auto o = std::make_shared<Options>();
  auto* sub = app.add_subcommand("inspect", "Shows the DICOM series of a folder, and what is wrong with them");
  sub->add_option("PATH", o->path, "A folder, searched with all below it, or one file")->required()->type_name("");
  sub->add_flag("--json", o->json, "As JSON (keys: docs/dicom/README.md)");
  sub->add_flag("--header", o->header,
                "With patient, study, equipment, acquisition, radiopharmaceutical and timing of each series");
  sub->add_option("--attribute", o->attributes,
                  "With this attribute of each series, by keyword or tag; may be repeated")
      ->type_name("NAME");
  sub->footer(
      "Examples:\n  isocenter inspect scan/\n  isocenter inspect scan/ --header --attribute KVP --attribute "
      "0018,1150\n\n"
      "Ends with 0 when at least one volume could be loaded, else with 3.");
  sub->callback([o, &globals, &action] { action = [o, &globals] { return inspect(globals, *o); }; });
}

}  // namespace isocenter::command
