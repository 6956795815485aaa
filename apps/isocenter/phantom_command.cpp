// isocenter phantom: an analytic phantom, or its exact projections, into a file.
#include <filesystem>
#include <iostream>
#include <memory>

#include "command.hpp"
#include "core/text.hpp"
#include "interrupt.hpp"
#include "progress.hpp"

namespace isocenter::command {
namespace fs = std::filesystem;
namespace {

struct Options {
  std::string name, output, labels;
  std::vector<std::string> settings;
  bool projections = false, quiet = false, force = false;
};

constexpr const char* examples = R"(Examples:
  isocenter phantom shepp_logan --output head.nii.gz
  isocenter phantom thorax --output chest.mha --labels tissues.mha --set spacing_mm=2
  isocenter phantom thorax --output breath.nii.gz --set frames=10 --set nx=128 --set ny=128 --set nz=128
  isocenter phantom shepp_logan --projections --output views.nrrd --set views=180

The parameters of --set are those of 'isocenter describe phantom_volume', with --projections those of
'isocenter describe phantom_projections'. Projections are stored as a volume: columns, rows, views.)";

std::string phantom_name(const std::string& name) { return name == "thorax" ? "moving_thorax" : name; }

class PhantomRun {
 public:
  PhantomRun(const Globals& globals, const Options& options) : context_(make_context(globals)), options_(options) {}

  ExitCode operator()() {
    interrupt::install();
    if (isocenter_operator_find(context_.get(), "image_sink") == nullptr)
      throw Exit(exit_usage,
                 "this installation cannot write volumes: its io module is missing. Fix: see 'isocenter modules'.");
    if (options_.projections && !options_.labels.empty())
      throw Exit(exit_usage, "--labels has no meaning with --projections. Fix: leave one of the two out.");
    for (const auto& path : {options_.output, options_.labels})
      if (!path.empty() && fs::exists(path) && !options_.force)
        throw Exit(exit_usage, "'" + path + "' exists. Fix: give another path, or add --force to replace it.");
    if (options_.projections)
      write_projections();
    else
      write_volume();
    for (const auto& path : {options_.output, options_.labels})
      if (!path.empty()) std::cout << path << "\n";
    return exit_ok;
  }

 private:
  void write_volume() {
    Pipeline pipeline(context_);
    add_phantom(pipeline, "phantom_volume");
    add_sink(pipeline, "output", options_.output);
    pipeline.connect("phantom", "output", "output", "input");
    if (!options_.labels.empty()) {
      add_sink(pipeline, "labels", options_.labels);
      pipeline.connect("phantom", "labels", "labels", "input");
    }
    Session session = prepare(pipeline, {"phantom", "output", "labels"});
    run(session, [&] { session.run(); });
  }

  /// The sinks take volumes: the stack of views becomes one, with the detector's steps as its spacing.
  void write_projections() {
    Pipeline made(context_);
    add_phantom(made, "phantom_projections");
    made.add_output("views", "phantom", "output");
    Session session = prepare(made, {"phantom"});
    std::optional<Payload> projections;
    run(session, [&] {
      session.start();
      projections = session.pull("views");
      session.wait();
    });
    const TensorView views = projections->tensor("views");
    Geometry geometry;
    geometry.spacing_mm[0] = number_of("column_step_mm");
    geometry.spacing_mm[1] = number_of("row_step_mm");
    const Volume volume =
        Volume::wrap(views.as<float>(), views.extent('u'), views.extent('v'), views.extent('n'), geometry, "1");
    Pipeline stored(context_);
    stored.add_input("views", volume);
    add_sink(stored, "output", options_.output);
    stored.connect("views", "output", "output", "input");
    Session writing = prepare(stored, {"output"});
    run(writing, [&] {
      writing.start();
      writing.push("views", volume);
      writing.end_input("views");
      writing.wait();
    });
  }

  void add_phantom(Pipeline& pipeline, const std::string& operator_name) {
    pipeline.add("phantom", operator_name);
    pipeline.set("phantom", "phantom", phantom_name(options_.name));
    for (const auto& setting : options_.settings) {
      const auto [parameter, value] = split_setting("--set", setting, "PARAMETER=VALUE");
      if (parameter == "phantom" || parameter == "count")
        throw Exit(exit_usage, "--set " + parameter + " is not for this command. Fix: " +
                                   (parameter == "phantom" ? "give the phantom's NAME." : "call it once a phantom."));
      pipeline.set("phantom", parameter, value);
    }
  }

  static void add_sink(Pipeline& pipeline, const std::string& node, const std::string& path) {
    pipeline.add(node, "image_sink");
    pipeline.set(node, "path", path);
  }

  /// As given by --set, or the default of phantom_projections.
  double number_of(const std::string& parameter) const {
    const auto* type = isocenter_operator_find(context_.get(), "phantom_projections");
    std::string text;
    for (std::uint32_t i = 0; i < type->parameter_count; ++i)
      if (const auto* p = isocenter_operator_parameter(type, i); parameter == p->name) text = p->default_value;
    for (const auto& setting : options_.settings)
      if (setting.rfind(parameter + "=", 0) == 0) text = setting.substr(parameter.size() + 1);
    return std::stod(text);
  }

  Session prepare(Pipeline& pipeline, std::vector<std::string> nodes) {
    progress_ = std::make_unique<Progress>(std::move(nodes), Progress::choose(options_.quiet));
    SessionOptions o;
    o.progress = [](void* user, const char* node, std::int64_t item, double fraction) {
      static_cast<PhantomRun*>(user)->progress_->report(node, item, fraction);
    };
    o.progress_user = this;
    try {
      return pipeline.prepare(o);
    } catch (const Error& e) {
      throw Exit(exit_code(e.code(), e.what(), {Origin::Phase::planning}), e.what());
    }
  }

  template <class F>
  void run(Session& session, F&& work) {
    try {
      const interrupt::Watch watch(session);
      work();
      progress_->finish();
    } catch (const Error& e) {
      progress_->finish();
      if (interrupt::requested()) throw Exit(exit_cancelled, "cancelled; nothing was written.");
      throw Exit(exit_code(e.code(), e.what(), {Origin::Phase::running}), e.what());
    }
  }

  Context context_;
  const Options& options_;
  std::unique_ptr<Progress> progress_;
};

}  // namespace

void add_phantom(CLI::App& app, const Globals& globals, Action& action) {
  auto options = std::make_shared<Options>();
  auto* sub = app.add_subcommand("phantom", "Writes an analytic phantom, or its exact projections, into a file");
  sub->add_option("NAME", options->name, "shepp_logan, shepp_logan_modified, water_cylinder or thorax")
      ->required()
      ->type_name("");
  sub->add_option("-o,--output", options->output, "A .nii, .nii.gz, .mha, .mhd or .nrrd file")
      ->required()
      ->type_name("FILE");
  sub->add_option("--labels", options->labels, "Writes the tissue of every voxel here")->type_name("FILE");
  sub->add_option("--set", options->settings, "A parameter of the phantom; repeatable")
      ->type_name("PARAMETER=VALUE")
      ->allow_extra_args(false);
  sub->add_flag("--projections", options->projections, "Its line integrals in place of its voxels");
  sub->add_flag("-q,--quiet", options->quiet, "No progress");
  sub->add_flag("--force", options->force, "Replaces files that exist");
  sub->footer(examples);
  sub->callback(
      [options, &globals, &action] { action = [options, &globals] { return PhantomRun(globals, *options)(); }; });
}

}  // namespace isocenter::command
