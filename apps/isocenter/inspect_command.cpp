// isocenter inspect: what DICOM series a folder holds, and what is wrong with them. Built with the inside of the dicom
// module; without it (ISOCENTER_COMMAND_DICOM is 0) the command says so.
#include <iostream>
#include <memory>

#include "command.hpp"

#if ISOCENTER_COMMAND_DICOM
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "dicom/inspect.hpp"
#include "interrupt.hpp"
#endif

namespace isocenter::command {
namespace {

#if ISOCENTER_COMMAND_DICOM

/// Ranges of one, taken by as many threads as there are cores.
void parallel_for(void*, std::int64_t count, std::int64_t, void (*body)(void*, std::int64_t, std::int64_t),
                  void* data) {
  std::atomic<std::int64_t> next{0};
  const auto work = [&] {
    for (std::int64_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) body(data, i, i + 1);
  };
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < std::thread::hardware_concurrency(); ++i) threads.emplace_back(work);
  work();
  for (auto& t : threads) t.join();
}

/// One line on a terminal, redrawn; returns false once Ctrl-C was pressed.
bool show_progress(std::int64_t done, std::int64_t total) {
  static const bool terminal = isatty(STDERR_FILENO) != 0;
  static std::mutex mutex;
  if (terminal && (done % 16 == 0 || done == total)) {
    const std::lock_guard lock(mutex);
    std::cerr << "\r" << done << " of " << total << " files" << (done == total ? "\r\x1b[K" : "") << std::flush;
  }
  return !interrupt::requested();
}

ExitCode inspect(const std::string& path, bool json) {
  if (!std::filesystem::exists(path))
    throw Exit(exit_input, "there is no '" + path + "'. Fix: give a folder with DICOM files, or one such file.");
  interrupt::install();
  isocenter_launcher launcher{};
  launcher.struct_size = sizeof launcher;
  launcher.parallel_for = parallel_for;
  launcher.concurrency = static_cast<std::int32_t>(std::thread::hardware_concurrency());
  const detail::dicom::Report report = detail::dicom::inspect(path, detail::dicom::Workers(launcher), show_progress);
  std::cout << (json ? detail::dicom::to_json(report) : detail::dicom::to_lines(report));
  int volumes = 0;
  for (const auto& series : report.series) volumes += detail::dicom::volume_count(series);
  return volumes > 0 ? exit_ok : exit_input;
}

#else

ExitCode inspect(const std::string&, bool) {
  throw Exit(exit_usage,
             "this build has no DICOM. Fix: build it with DCMTK installed (Debian: libdcmtk-dev) and "
             "ISOCENTER_WITH_DICOM=ON.");
}

#endif

}  // namespace

void add_inspect(CLI::App& app, Action& action) {
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
  sub->callback([o, &action] { action = [o] { return inspect(o->path, o->json); }; });
}

}  // namespace isocenter::command
