// The `isocenter` command: reads the command line, runs one subcommand, ends with its exit code.
#include <cstdio>
#include <iostream>

#include "command.hpp"
#include "core/text.hpp"

namespace isocenter::command {
namespace {

constexpr const char* about = "Medical imaging pipelines: raw data or DICOM in, images, video and DICOM out.";

constexpr const char* examples = R"(Examples:
  isocenter run study.yaml --input scan/ --output out/
  isocenter inspect scan/
  isocenter deidentify scan/ anonymous/
  isocenter operators
  isocenter describe non_local_means
  isocenter phantom shepp_logan --output head.nii.gz

Exit codes: 0 ok, 1 processing failed, 2 usage or pipeline error, 3 input missing or unusable,
4 not enough memory or disk, 5 device unavailable, 130 cancelled by Ctrl-C.
Manual: docs/command.md; the format of pipeline files: docs/pipelines.md.)";

/// The word where a subcommand stands, when it is none: a misspelling gets its correction instead of CLI11's message.
void check_subcommand(const CLI::App& app, int argc, char** argv) {
  std::vector<std::string> names;
  for (const auto* sub : app.get_subcommands({})) names.push_back(sub->get_name());
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--module") ++i;
    if (word.empty() || word.front() == '-') continue;
    if (std::find(names.begin(), names.end(), word) == names.end())
      throw Exit(exit_usage, "there is no subcommand '" + word + "'" + detail::did_you_mean(word, names) +
                                 ". Fix: use one of: " + detail::join(names) + ".");
    return;
  }
}

std::string subcommand_of(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  return chosen.empty() ? "isocenter" : "isocenter " + chosen.front()->get_name();
}

int run(int argc, char** argv) {
  CLI::App app(about, "isocenter");
  Globals globals;
  Action action;
  app.set_version_flag("--version", std::string("isocenter ") + isocenter_version());
  app.add_option("--module", globals.modules, "A run-time module (.so) to load beside the installed ones; repeatable")
      ->type_name("FILE")
      ->allow_extra_args(false);
  app.footer(examples);
  app.require_subcommand(1);
  add_run(app, globals, action);
  add_convert(app, globals, action);
  add_inspect(app, globals, action);
  add_model(app, globals, action);
  add_validate(app, globals, action);
  add_deidentify(app, globals, action);
  add_operators(app, globals, action);
  add_describe(app, globals, action);
  add_phantom(app, globals, action);
  add_devices(app, globals, action);
  add_modules(app, globals, action);
  add_network(app, globals, action);
  for (auto* sub : app.get_subcommands({})) sub->fallthrough();
  try {
    check_subcommand(app, argc, argv);
    app.parse(argc, argv);
    return action();
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);
    const std::string command = subcommand_of(app);
    std::cerr << command << ": " << e.what() << ". Fix: see '" << command << " --help'.\n";
    return exit_usage;
  } catch (const Exit& e) {
    std::cerr << subcommand_of(app) << ": " << e.what() << "\n";
    return e.code();
  } catch (const Error& e) {
    std::cerr << subcommand_of(app) << ": " << e.what() << "\n";
    return exit_code(e.code(), e.what(), {});
  }
}

}  // namespace
}  // namespace isocenter::command

int main(int argc, char** argv) {
  try {
    return isocenter::command::run(argc, argv);
  } catch (const std::bad_alloc&) {
    std::fputs("isocenter: host memory is exhausted. Fix: close other programs, or give --memory a budget.\n", stderr);
    return isocenter::command::exit_resources;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "isocenter: unexpected error: %s\n", e.what());
    return isocenter::command::exit_failed;
  }
}
