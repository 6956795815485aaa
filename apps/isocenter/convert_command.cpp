// isocenter convert: DICOM or a volume file into a volume file, pictures, a DICOM series, or its document.
#include <filesystem>
#include <iostream>
#include <memory>

#include "command.hpp"
#include "interrupt.hpp"
#include "progress.hpp"

namespace isocenter::command {
namespace fs = std::filesystem;
namespace {

struct Options {
  std::string input, output;
  std::vector<std::string> settings;
  bool quiet = false, force = false;
};

constexpr const char* examples = R"(Examples:
  isocenter convert scan/ chest.nii.gz
  isocenter convert scan/ chest.mha --set series=3 --set gantry_tilt=shear
  isocenter convert cine.dcm frame_%04d.png
  isocenter convert video.dcm frame_%04d.png --set frames_per_item=1
  isocenter convert report.dcm report.pdf
  isocenter convert dose.mha derived/ --set sink.series_description=Dose

OUT's ending chooses what is written: .nii, .nii.gz, .mha, .mhd, .nrrd a volume of real-world values (after rescale), .png
the pictures (%04d numbers them), .pdf, .xml, .stl, .obj, .mtl the document in a DICOM file, byte for byte, anything
without an ending a folder with a DICOM series. IN is a folder, a DICOM file, a DICOMDIR, or a volume file with one of
these endings. --set takes the parameters of the operator that reads, see
'isocenter describe dicom_series_source' (or dicom_frames_source, image_source); with sink. before them those of the one
that writes.

Ends with 3 when the input cannot be used.)";

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

bool is_volume_file(const std::string& path) {
  for (const char* end : {".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".nhdr"})
    if (ends_with(path, end)) return true;
  return false;
}

/// Documents that DICOM objects hold.
bool is_document(const std::string& path) {
  for (const char* end : {".pdf", ".xml", ".stl", ".obj", ".mtl"})
    if (ends_with(path, end)) return true;
  return false;
}

/// A path without an ending, or with a slash behind it.
bool is_folder(const std::string& path) {
  return path.empty() || path.back() == '/' || !fs::path(path).has_extension();
}

class Conversion {
 public:
  Conversion(const Globals& globals, const Options& options) : context_(make_context(globals)), options_(options) {}

  ExitCode operator()() {
    interrupt::install();
    if (!fs::exists(options_.input))
      throw Exit(exit_input, "there is no '" + options_.input + "'. Fix: give a folder or a file.");
    const bool pictures = ends_with(options_.output, ".png");
    const bool document = is_document(options_.output);
    const bool volume_file = is_volume_file(options_.input) && fs::is_regular_file(options_.input);
    const char* source = volume_file ? "image_source" : pictures ? "dicom_frames_source" : "dicom_series_source";
    const char* sink = pictures ? "png_sink" : is_volume_file(options_.output) ? "image_sink" : "dicom_series_sink";
    if (volume_file && pictures)
      throw Exit(exit_usage, "'" + options_.input + "' is a volume and '" + options_.output +
                                 "' a picture. Fix: render it with 'isocenter run'.");
    if (volume_file && document)
      throw Exit(exit_usage, "'" + options_.input + "' is a volume and '" + options_.output +
                                 "' a document. Fix: give a DICOM file that holds one.");
    if (!pictures && !document && !is_volume_file(options_.output) && !is_folder(options_.output))
      throw Exit(exit_usage, "'" + options_.output +
                                 "' has an unknown ending. Fix: use .nii, .nii.gz, .mha, .mhd, .nrrd, "
                                 ".png, .pdf, .xml, .stl, .obj, .mtl, or a name without an ending for a DICOM folder.");
    if (fs::is_regular_file(options_.output) && !options_.force)
      throw Exit(exit_usage, "'" + options_.output + "' exists. Fix: give another path, or add --force to replace it.");
    if (document) {
      require_operators({"dicom_document"});
      extract();
    } else {
      require_operators({source, sink});
      convert(source, sink);
    }
    std::cout << options_.output << "\n";
    return exit_ok;
  }

 private:
  void require_operators(std::initializer_list<const char*> names) const {
    for (const char* name : names)
      if (isocenter_operator_find(context_.get(), name) == nullptr)
        throw Exit(exit_usage, std::string("this installation has no ") + name + ". Fix: see 'isocenter modules'.");
  }

  void extract() {
    if (!options_.settings.empty())
      throw Exit(exit_usage,
                 "--set " + options_.settings.front() + ": a document has no parameters. Fix: leave it out.");
    Pipeline pipeline(context_);
    pipeline.add("source", "dicom_document");
    pipeline.set("source", "path", options_.input);
    pipeline.set("source", "document", options_.output);
    run(pipeline, {"source"});
  }

  void convert(const char* source, const char* sink) {
    Pipeline pipeline(context_);
    pipeline.add("source", source);
    pipeline.set("source", "path", options_.input);
    pipeline.add("sink", sink);
    pipeline.set("sink", "path", options_.output);
    for (const auto& setting : options_.settings) {
      const auto [name, value] = split_setting("--set", setting, "[sink.]PARAMETER=VALUE");
      const bool of_sink = name.rfind("sink.", 0) == 0;
      const std::string parameter = of_sink ? name.substr(5) : name;
      if (parameter == "path") throw Exit(exit_usage, "--set path is not for this command. Fix: give IN and OUT.");
      pipeline.set(of_sink ? "sink" : "source", parameter, value);
    }
    pipeline.connect("source", "output", "sink", "input");
    run(pipeline, {"source", "sink"});
  }

  void run(Pipeline& pipeline, const std::vector<std::string>& nodes) {
    Progress progress(nodes, Progress::choose(options_.quiet));
    SessionOptions o;
    o.progress = [](void* user, const char* node, std::int64_t item, double fraction) {
      static_cast<Progress*>(user)->report(node, item, fraction);
    };
    o.progress_user = &progress;
    Origin origin{Origin::Phase::planning, true};
    try {
      Session session = pipeline.prepare(o);
      origin.phase = Origin::Phase::running;
      const interrupt::Watch watch(session);
      session.run();
      progress.finish();
    } catch (const Error& e) {
      progress.finish();
      if (interrupt::requested()) throw Exit(exit_cancelled, "cancelled; nothing was written.");
      throw Exit(exit_code(e.code(), e.what(), origin), e.what());
    }
  }

  Context context_;
  const Options& options_;
};

}  // namespace

void add_convert(CLI::App& app, const Globals& globals, Action& action) {
  auto o = std::make_shared<Options>();
  auto* sub = app.add_subcommand("convert", "DICOM into .nii.gz, .mha, .nrrd or .png, and volumes into DICOM");
  sub->add_option("IN", o->input, "A folder with DICOM, or a file")->required()->type_name("");
  sub->add_option("OUT", o->output, "A file whose ending chooses the format, or a folder for DICOM")
      ->required()
      ->type_name("");
  sub->add_option("--set", o->settings, "A parameter of the operator that reads, or sink.PARAMETER; repeatable")
      ->type_name("PARAMETER=VALUE")
      ->allow_extra_args(false);
  sub->add_flag("--force", o->force, "Replace OUT");
  sub->add_flag("-q,--quiet", o->quiet, "No progress");
  sub->footer(examples);
  sub->callback([o, &globals, &action] { action = [o, &globals] { return Conversion(globals, *o)(); }; });
}

}  // namespace isocenter::command
