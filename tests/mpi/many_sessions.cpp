// An embedder's process that runs one session after another together with others: by how much its memory grows.
#include <cstdio>
#include <fstream>
#include <isocenter/isocenter.hpp>
#include <string>

namespace ic = isocenter;

namespace {

long resident_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind("VmRSS:", 0) == 0) return std::stol(line.substr(6));
  return 0;
}

void run_one(const ic::Context& context) {
  ic::Pipeline pipeline(context);
  pipeline.add("raw", "phantom_projections");
  for (const auto& [name, value] : {std::pair{"views", "12"}, {"columns", "20"}, {"rows", "16"}})
    pipeline.set("raw", name, value);
  pipeline.add("recon", "os_sart_reconstruction");
  pipeline.set("recon", "iterations", "1");
  pipeline.set("recon", "unit", "1/mm");
  pipeline.connect("raw", "output", "recon", "input");
  pipeline.add_output("out", "recon", "output");
  ic::Session session = pipeline.prepare();
  session.start();
  if (isocenter_context_communicator(context.get())->rank == 0) session.pull("out");
  session.wait();
}

}  // namespace

int main() try {
  const ic::Context context;
  constexpr int first = 5, more = 20;
  for (int i = 0; i < first; ++i) run_one(context);
  const long before = resident_kib();
  for (int i = 0; i < more; ++i) run_one(context);
  std::printf("%d sessions more: %ld KiB\n", more, resident_kib() - before);
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
