// isocenter validate: where DICOM files break the standard.
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "command.hpp"

namespace isocenter::command {
namespace {

bool has_error(const nlohmann::json& report) {
  for (const auto& file : report)
    for (const auto& violation : file.at("violations"))
      if (violation.at("severity") == "error") return true;
  return false;
}

/// The dicom module does the work while dicom_validate is planned; what it found are the node's facts.
ExitCode validate(const Globals& globals, const std::string& path, bool json) {
  if (!std::filesystem::exists(path))
    throw Exit(exit_input, "there is no '" + path + "'. Fix: give a folder with DICOM files, or one such file.");
  const Context context = make_context(globals);
  if (isocenter_operator_find(context.get(), "dicom_validate") == nullptr)
    throw Exit(exit_usage, "this installation has no dicom module. Fix: see 'isocenter modules' for the reason.");
  Pipeline pipeline(context);
  pipeline.add("validate", "dicom_validate");
  pipeline.set("validate", "path", path);
  Session session;
  try {
    session = pipeline.prepare();
  } catch (const Error& e) {
    throw Exit(exit_code(e.code(), e.what(), {Origin::Phase::planning, true}), e.what());
  }
  const auto report = nlohmann::json::parse(session.report());
  const auto& facts = report.at("nodes").at(0).at("facts");
  const std::string found = facts.at("dicom.validation").get<std::string>();
  std::cout << (json ? found : facts.at("dicom.validation.text").get<std::string>());
  return has_error(nlohmann::json::parse(found)) ? exit_input : exit_ok;
}

}  // namespace

void add_validate(CLI::App& app, const Globals& globals, Action& action) {
  struct Options {
    std::string path;
    bool json = false;
  };
  auto o = std::make_shared<Options>();
  auto* sub = app.add_subcommand("validate", "Shows where DICOM files break the standard");
  sub->add_option("PATH", o->path, "A folder, searched with all below it, or one file")->required()->type_name("");
  sub->add_flag("--json", o->json, "As JSON");
  sub->footer(
      "Examples:\n  isocenter validate out/\n  isocenter validate seg.dcm --json\n\n"
      "Ends with 0 when no file has an error, else with 3. What is checked: docs/dicom/writing.md.");
  sub->callback([o, &globals, &action] { action = [o, &globals] { return validate(globals, o->path, o->json); }; });
}

}  // namespace isocenter::command
