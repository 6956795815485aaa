// isocenter deidentify: a folder of DICOM files without what identifies a person.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "command.hpp"

namespace isocenter::command {
namespace {

struct Options {
  std::string in, out, report, key_file, blank, dates = "remove";
  std::vector<std::string> retain;
  bool clean_descriptors = false, clean_ultrasound = false;
};

void print_summary(const std::string& file) {
  std::ifstream stream(file);
  const auto report = nlohmann::json::parse(stream);
  std::cout << report.at("files_written") << " files written, " << report.at("attributes").size()
            << " attributes changed, " << report.at("private_attributes_removed") << " private ones removed\n";
  for (const auto& f : report.at("left_out"))
    std::cout << "left out: '" << f.at("file").get<std::string>() << "': " << f.at("why").get<std::string>() << "\n";
  for (const auto& w : report.at("warnings"))
    std::cout << "warning: '" << w.at("file").get<std::string>() << "': " << w.at("what").get<std::string>() << "\n";
  std::cout << "report: " << file << "\n";
}

ExitCode deidentify(const Globals& globals, const Options& o) {
  if (!std::filesystem::exists(o.in))
    throw Exit(exit_input, "there is no '" + o.in + "'. Fix: give a folder with DICOM files, or one such file.");
  const Context context = make_context(globals);
  if (isocenter_operator_find(context.get(), "dicom_deidentify") == nullptr)
    throw Exit(exit_usage, "this installation has no dicom module. Fix: see 'isocenter modules' for the reason.");
  std::string out = o.out;
  while (out.size() > 1 && out.back() == '/') out.pop_back();
  const std::string report = o.report.empty() ? out + ".report.json" : o.report;
  Pipeline pipeline(context);
  const auto set = [&](const char* parameter, const std::string& value) {
    if (!value.empty()) pipeline.set("deidentify", parameter, value);
  };
  pipeline.add("deidentify", "dicom_deidentify");
  set("path", o.in);
  set("output", out);
  set("report", report);
  set("key_file", o.key_file);
  set("blank", o.blank);
  set("dates", o.dates);
  for (const std::string& kept : o.retain) set(("retain_" + kept).c_str(), "true");
  if (o.clean_descriptors) set("clean_descriptors", "true");
  if (o.clean_ultrasound) set("clean_ultrasound", "true");
  Origin origin{Origin::Phase::planning};
  try {
    Session session = pipeline.prepare();
    origin = {Origin::Phase::running, true};
    session.run();
  } catch (const Error& e) {
    throw Exit(exit_code(e.code(), e.what(), origin), e.what());
  }
  print_summary(report);
  return exit_ok;
}

}  // namespace

void add_deidentify(CLI::App& app, const Globals& globals, Action& action) {
  auto o = std::make_shared<Options>();
  auto* sub =
      app.add_subcommand("deidentify", "Rewrites DICOM files without what identifies a person (PS3.15 annex E)");
  sub->add_option("IN", o->in, "A folder, searched with all below it, or one file")->required()->type_name("");
  sub->add_option("OUT", o->out, "Folder to write, new or empty")->required()->type_name("");
  sub->add_option("--report", o->report, "JSON file for what was done; without it OUT.report.json")->type_name("FILE");
  sub->add_option("--key-file", o->key_file, "Its bytes map UIDs, patients and dates alike in every run")
      ->type_name("FILE");
  sub->add_option("--dates", o->dates, "remove, shift (by patient) or keep")
      ->check(CLI::IsMember({"remove", "shift", "keep"}))
      ->type_name("");
  sub->add_option("--retain", o->retain, "uids, device, institution, patient_characteristics; repeatable")
      ->check(CLI::IsMember({"uids", "device", "institution", "patient_characteristics"}))
      ->delimiter(',')
      ->type_name("");
  sub->add_flag("--clean-descriptors", o->clean_descriptors, "Keep words of anatomy and technique in descriptions");
  sub->add_flag("--clean-ultrasound", o->clean_ultrasound, "Blank all outside of the ultrasound regions");
  sub->add_option("--blank", o->blank, "Rectangles of pixels to blank: \"x y width height; ...\"")->type_name("");
  sub->footer(
      "Examples:\n  isocenter deidentify scan/ anonymous/\n"
      "  isocenter deidentify scan/ anonymous/ --key-file site.key --dates shift --retain device\n\n"
      "What is removed and what is not: docs/dicom/deidentification.md.");
  sub->callback([o, &globals, &action] { action = [o, &globals] { return deidentify(globals, *o); }; });
}

}  // namespace isocenter::command
