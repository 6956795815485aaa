#pragma once
// What the subcommands share: how they are registered, how they end, the context that they work in.
#include <CLI/CLI.hpp>
#include <functional>
#include <isocenter/isocenter.hpp>
#include <string>
#include <vector>

namespace isocenter::command {

/// How the command ends; scripts rely on these (docs/command.md).
enum ExitCode : int {
  exit_ok = 0,
  exit_failed = 1,     ///< processing failed
  exit_usage = 2,      ///< the command line, the pipeline or the output folder is wrong
  exit_input = 3,      ///< the input is missing or cannot be used
  exit_resources = 4,  ///< not enough memory or disk
  exit_device = 5,     ///< the device is not there, cannot do it, or failed
  exit_cancelled = 130
};

/// Ends the command with a message that names what is wrong and what to do.
class Exit : public std::runtime_error {
 public:
  Exit(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

/// Where an error came from, which decides what it means to a script.
struct Origin {
  enum class Phase { loading, planning, running };
  Phase phase = Phase::loading;
  bool source = false;  ///< in a node without inputs: what it complains about is the input
  bool gpu = false;     ///< in a node that runs on a GPU
};
ExitCode exit_code(ErrorCode code, const std::string& message, const Origin& origin);

/// What stands before or after any subcommand.
struct Globals {
  std::vector<std::string> modules;  ///< --module: run-time modules to load beside the installed ones
};

/// The chosen subcommand: set while the command line is read, called after.
using Action = std::function<ExitCode()>;

void add_run(CLI::App& app, const Globals& globals, Action& action);
void add_convert(CLI::App& app, const Globals& globals, Action& action);
void add_inspect(CLI::App& app, const Globals& globals, Action& action);
void add_model(CLI::App& app, const Globals& globals, Action& action);
void add_validate(CLI::App& app, const Globals& globals, Action& action);
void add_deidentify(CLI::App& app, const Globals& globals, Action& action);
void add_operators(CLI::App& app, const Globals& globals, Action& action);
void add_describe(CLI::App& app, const Globals& globals, Action& action);
void add_phantom(CLI::App& app, const Globals& globals, Action& action);
void add_devices(CLI::App& app, const Globals& globals, Action& action);
void add_modules(CLI::App& app, const Globals& globals, Action& action);
void add_network(CLI::App& app, const Globals& globals, Action& action);  ///< those that call DICOM peers

/// A context with the installed run-time modules and those of --module; threads 0 is one for each core.
/// `log` gets warnings, and may be null.
Context make_context(const Globals& globals, int threads = 0,
                     void (*log)(void* user, std::int32_t level, const char* message) = nullptr,
                     void* log_user = nullptr);

/// The modules that did not load, with their reasons; empty when all did.
std::vector<isocenter_module_info> modules(const Context& context);

/// "parameter=value" or "node.parameter=value" split at the first '='; refuses a text without one.
std::pair<std::string, std::string> split_setting(const std::string& option, const std::string& text,
                                                  const std::string& form);

}  // namespace isocenter::command
