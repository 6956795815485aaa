// isocenter run: a pipeline file from its input to its output folder.
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <isocenter/yaml.hpp>
#include <memory>
#include <optional>

#include "command.hpp"
#include "core/text.hpp"
#include "interrupt.hpp"
#include "memory.hpp"
#include "output_folder.hpp"
#include "progress.hpp"
#include "run_report.hpp"

namespace isocenter::command {
namespace fs = std::filesystem;
namespace {

struct Options {
  std::string pipeline, input, output, device = "best", report, trace;
  std::optional<std::string> memory;
  std::vector<std::string> settings, defines;
  int threads = 0, in_flight = 0;
  bool quiet = false, force = false;
};

constexpr const char* examples = R"(Examples:
  isocenter run examples/pipelines/ct_study.yaml --input scan/ --output out/
  isocenter run study.yaml --input scan/ --output out/ --device cpu --memory 4GiB
  isocenter run study.yaml --input scan/ --output out/ --set denoise.strength=0.8
  isocenter run thorax.yaml --output out/ --trace out/trace.json --quiet

${input} and ${output} in the file stand for --input and --output. Progress and messages go to
stderr, the names of the results to stdout. --output/report.json says what was read, and each node's
time, memory and parameters, also when the run failed. Ctrl-C stops cleanly: what is finished stays.
Exit codes: 0 ok, 1 processing failed, 2 usage or pipeline error, 3 input missing or unusable,
4 not enough memory or disk, 5 device unavailable, 130 cancelled.)";

class Run {
 public:
  Run(const Globals& globals, const Options& options) : globals_(globals), options_(options) {}

  ExitCode operator()() {
    interrupt::install();
    record_.started = utc_now();
    load();
    try {
      build();
      require_input();
      if (rank_ == 0) folder_.emplace(options_.output, options_.force);
    } catch (const std::exception& e) {
      tell_others(e.what());
      throw;
    }
    try {
      prepare();
      process();
    } catch (const Exit& e) {
      tell_others(e.what());
      record_.exit_code = e.code();
      record_.error = e.what();
    }
    finish();
    return record_.exit_code;
  }

 private:
  /// The file with its variables and --set; nothing is made yet.
  void load() {
    PipelineFile::Variables variables = {{"output", fs::absolute(options_.output).lexically_normal().string()}};
    if (!options_.input.empty()) variables["input"] = fs::absolute(options_.input).lexically_normal().string();
    for (const auto& define : options_.defines) {
      const auto [name, value] = split_setting("--define", define, "NAME=VALUE");
      if (!variables.emplace(name, value).second)
        throw Exit(exit_usage, "the variable '" + name +
                                   "' is given twice. Fix: give --input, --output and every "
                                   "--define once.");
    }
    try {
      file_ = std::make_unique<PipelineFile>(options_.pipeline, variables);
    } catch (const Error& e) {
      const bool variable = std::string(e.what()).find("the variable ${") != std::string::npos;
      throw Exit(
          exit_code(e.code(), e.what(), {}),
          e.what() + std::string(variable ? " (--input PATH gives ${input}, --define NAME=VALUE any other.)" : ""));
    }
    for (const auto& [name, value] : variables)
      if (name != "output" && !file_->uses(name))
        throw Exit(exit_usage, options_.pipeline + " has no ${" + name + "}, so that " +
                                   (name == "input" ? "--input" : "--define " + name) +
                                   " would be ignored. Fix: leave it out, or use it in the file.");
    if (!file_->inputs().empty() || !file_->outputs().empty())
      throw Exit(exit_usage,
                 options_.pipeline + " has ways in or out for a program ('" +
                     (file_->inputs().empty() ? file_->outputs() : file_->inputs()).front() +
                     "'), which the command cannot serve. Fix: use source and sink operators in their place.");
    for (const auto& setting : options_.settings) set(setting);
    record_.file = fs::absolute(options_.pipeline).lexically_normal().string();
    record_.name = file_->name();
    record_.description = file_->description();
    record_.variables = variables;
    record_.settings = options_.settings;
  }

  void set(const std::string& setting) {
    const auto [target, value] = split_setting("--set", setting, "NODE.PARAMETER=VALUE");
    const std::size_t dot = target.find('.');
    if (dot == std::string::npos)
      throw Exit(exit_usage, "--set " + setting + " names no node. Fix: write --set NODE.PARAMETER=VALUE.");
    try {
      file_->set(target.substr(0, dot), target.substr(dot + 1), value);
    } catch (const Error& e) {
      throw Exit(exit_usage, "--set " + setting + ": " + e.what());
    }
  }

  void build() {
    std::vector<std::string> names;
    for (const auto& node : file_->nodes()) names.emplace_back(node.name);
    progress_ = std::make_unique<Progress>(std::move(names), Progress::Mode::silent);
    const auto log = [](void* user, std::int32_t level, const char* message) {
      if (level >= ISOCENTER_LOG_WARNING) static_cast<Run*>(user)->warn(message);
    };
    context_ = std::make_unique<Context>(make_context(globals_, options_.threads, log, this));
    if (const auto* others = isocenter_context_communicator(context_->get()); others != nullptr) rank_ = others->rank;
    try {
      std::string why;
      device_ = context_->find_device(options_.device, &why);
      say(record_.name + ": " + why);
    } catch (const Error& e) {
      throw Exit(exit_device, std::string("--device: ") + e.what());
    }
    pipeline_ = std::make_unique<Pipeline>(*context_);
    file_->build(*pipeline_);
  }

  /// What the session has told them they know already.
  void tell_others(const char* why) const {
    if (context_ == nullptr) return;
    if (const auto* others = isocenter_context_communicator(context_->get()); others != nullptr)
      others->leave(others->user, why);
  }

  void require_input() const {
    if (!options_.input.empty() && !fs::exists(options_.input))
      throw Exit(exit_input, "there is no input '" + options_.input + "'. Fix: check the path of --input.");
  }

  void prepare() {
    SessionOptions o;
    o.device = options_.device;
    o.in_flight = options_.in_flight;
    o.memory_bytes = record_.memory_budget_bytes = budget();
    o.progress = [](void* user, const char* node, std::int64_t item, double fraction) {
      static_cast<Run*>(user)->progress_->report(node, item, fraction);
    };
    o.progress_user = this;
    try {
      session_ = pipeline_->prepare(o);
      prepared_ = true;
    } catch (const Error& e) {
      const Origin origin = origin_of(e.what());
      throw Exit(exit_code(e.code(), e.what(), origin), e.what() + place_of(e.what()));
    }
  }

  std::uint64_t budget() const {
    if (options_.memory) return parse_bytes("--memory", *options_.memory);
    // On the CPU an unlimited plan would be ended by the system, not by a message. A GPU says itself when it is full.
    return std::string(device_.type) == "cpu" ? available_memory() / 10 * 9 : 0;
  }

  void process() {
    std::vector<std::string> names;
    for (const auto& node : file_->nodes()) names.emplace_back(node.name);
    progress_ = std::make_unique<Progress>(std::move(names), Progress::choose(options_.quiet || rank_ > 0));
    Origin origin{Origin::Phase::running};
    try {
      const interrupt::Watch watch(session_);
      session_.run();
      progress_->finish();
    } catch (const Error& e) {
      progress_->finish();
      if (interrupt::requested()) throw Exit(exit_cancelled, "cancelled; what was finished is kept.");
      const auto errors = item_errors();
      origin.source = !errors.empty() && is_source(errors.front().at("node"));
      throw Exit(exit_code(e.code(), e.what(), origin), e.what());
    }
    // An operator that ended its item as cancelled although nobody cancelled.
    if (const auto errors = item_errors(); !errors.empty())
      throw Exit(exit_failed, errors.front().at("message").get<std::string>());
  }

  nlohmann::json item_errors() const { return nlohmann::json::parse(session_.report()).at("errors"); }

  void finish() {
    // Once the session runs or has failed, its end is told here, whatever happened before.
    if (record_.exit_code != exit_ok)
      std::cerr << "isocenter run" << (rank_ > 0 ? " (rank " + std::to_string(rank_) + ")" : "") << ": "
                << record_.error << "\n";
    if (rank_ > 0) return;  // what a run gives, rank 0 gives
    auto report = make_report(record_, prepared_ ? &session_ : nullptr, folder_->written());
    write_reports(report);
    if (prepared_ && record_.exit_code != exit_cancelled) say(summary(report));
    const auto written = folder_->written();
    say(written.size() <= 1 ? "nothing was written but the report:" : "written:");
    for (const auto& entry : written) {
      std::cout << entry.path.string() + (entry.is_folder ? "/" : "") << std::endl;
      say("  " + entry.path.filename().string() + (entry.is_folder ? "/" : "") + "  (" +
          (entry.files > 1 ? std::to_string(entry.files) + " files, " : "") + detail::format_bytes(entry.bytes) +
          ")  " + how_to_look(entry));
    }
  }

  void write_reports(const nlohmann::ordered_json& report) {
    const auto attempt = [&](const std::string& path, const auto& write) {
      try {
        write(path);
      } catch (const Error& e) {
        std::cerr << "isocenter run: " << e.what() << "\n";
        if (record_.exit_code == exit_ok) record_.exit_code = exit_code(e.code(), e.what(), {Origin::Phase::running});
      }
    };
    attempt((folder_->path() / "report.json").string(), [&](const auto& path) { write_json(path, report); });
    if (!options_.report.empty()) attempt(options_.report, [&](const auto& path) { write_json(path, report); });
    if (!options_.trace.empty() && prepared_)
      attempt(options_.trace, [&](const auto& path) { write_text(path, session_.trace()); });
  }

  /// The node that a message of core is about: it begins with "operator 'node'", or names the node somewhere.
  std::optional<isocenter_yaml_node_info> node_of(const std::string& message) const {
    for (const auto& node : file_->nodes())
      if (message.rfind(std::string(node.operator_name) + " '" + node.name + "'", 0) == 0) return node;
    for (const auto& node : file_->nodes())
      if (message.find("'" + std::string(node.name) + "'") != std::string::npos) return node;
    return std::nullopt;
  }
  Origin origin_of(const std::string& message) const {
    Origin origin{Origin::Phase::planning};
    if (const auto node = node_of(message)) {
      const auto* type = isocenter_operator_find(context_->get(), node->operator_name);
      origin.source = node->input_count == 0;
      origin.gpu = std::string(device_.type) != "cpu" && (type->flags & ISOCENTER_OPERATOR_HOST_ONLY) == 0;
    }
    return origin;
  }
  std::string place_of(const std::string& message) const {
    const auto node = node_of(message);
    return node ? " (The node stands at " + std::string(node->place) + ".)" : "";
  }
  bool is_source(const std::string& name) const {
    const auto nodes = file_->nodes();
    return std::any_of(nodes.begin(), nodes.end(), [&](const auto& n) { return name == n.name && n.input_count == 0; });
  }

  void say(const std::string& text) const {
    if (!options_.quiet && rank_ == 0) std::cerr << text << (text.empty() || text.back() == '\n' ? "" : "\n");
  }
  void warn(const std::string& text) { progress_->message("warning: " + text); }

  const Globals& globals_;
  const Options& options_;
  RunRecord record_;
  std::unique_ptr<PipelineFile> file_;
  // The session's threads use progress_ until session_ goes: it is declared before, and so goes after it.
  std::unique_ptr<Progress> progress_;
  std::unique_ptr<Context> context_;
  isocenter_device_info device_{};
  std::unique_ptr<Pipeline> pipeline_;
  std::optional<OutputFolder> folder_;
  Session session_;
  bool prepared_ = false;
  std::int32_t rank_ = 0;  // of the processes that run this pipeline together
};

}  // namespace

void add_run(CLI::App& app, const Globals& globals, Action& action) {
  auto options = std::make_shared<Options>();
  auto* run = app.add_subcommand("run", "Runs a pipeline file");
  run->add_option("PIPELINE", options->pipeline, "The pipeline file (docs/pipelines.md)")->required()->type_name("");
  run->add_option("-i,--input", options->input, "What the pipeline reads: a file or a folder")->type_name("PATH");
  run->add_option("-o,--output", options->output, "Folder for the results; made, or empty unless --force")
      ->required()
      ->type_name("DIR");
  run->add_option("--device", options->device,
                  "cpu, cuda:0, cuda: the first GPU, under mpirun one for each process, or best: so, else the CPU")
      ->type_name("NAME")
      ->capture_default_str();
  run->add_option("--memory", options->memory,
                  "Budget for each device; a plan that needs more is refused before it runs (default: 90 % of what is "
                  "free when the CPU runs it)")
      ->type_name("4GiB");
  run->add_option("--set", options->settings, "A parameter's value, before the one in the file; repeatable")
      ->type_name("NODE.PARAMETER=VALUE")
      ->allow_extra_args(false);
  run->add_option("--define", options->defines, "The value of a ${NAME} in the file; repeatable")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  run->add_option("--threads", options->threads, "CPU threads (default: one for each core)")
      ->check(CLI::Range(1, 4096))
      ->type_name("N");
  run->add_option("--in-flight", options->in_flight, "Items between two nodes at once (default: 2; 1 for one item)")
      ->check(CLI::Range(1, 64))
      ->type_name("N");
  run->add_option("--report", options->report, "Writes the report here as well")->type_name("FILE");
  run->add_option("--trace", options->trace, "Writes a trace for chrome://tracing or ui.perfetto.dev")
      ->type_name("FILE");
  run->add_flag("-q,--quiet", options->quiet, "Only warnings and errors on stderr");
  run->add_flag("--force", options->force, "Writes into an output folder that is not empty");
  run->footer(examples);
  run->callback([options, &globals, &action] { action = [options, &globals] { return Run(globals, *options)(); }; });
}

}  // namespace isocenter::command
