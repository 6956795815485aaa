// Our side of benchmarks/peers/ct_fdk.py.
//   ct_fdk write DIR   Shepp-Logan (original contrast): projections, geometry and truth as raw float32 and text
//   ct_fdk run DIR     reads the projections, reconstructs them with fdk_reconstruction, writes the volume
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <isocenter/isocenter.hpp>
#include <isocenter/phantom/phantom_projections.hpp>
#include <isocenter/phantom/phantom_volume.hpp>
#include <isocenter/recon/acquisition.hpp>
#include <isocenter/recon/fdk_reconstruction.hpp>

namespace ic = isocenter;
namespace fs = std::filesystem;

namespace {

constexpr int n = 256, view_count = 360;
constexpr double radius_mm = 100, detector_step_mm = 1.5, voxel_mm = 1;

void write_floats(const fs::path& path, std::span<const float> values) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size_bytes()));
  if (!file) throw std::runtime_error("cannot write " + path.string());
}

ic::Payload one_item(ic::Pipeline& pipeline) {
  ic::Session session = pipeline.prepare();
  session.start();
  const auto item = session.pull("out");
  if (!item) session.wait();
  ic::Payload copy = pipeline.context().copy_to(*item, "cpu");
  return copy;
}

void write(const ic::Context& context, const fs::path& folder) {
  ic::Pipeline raw(context), truth(context);
  raw.add_output("out", raw.add<ic::PhantomProjections>("raw", {.phantom = ic::PhantomKind::shepp_logan,
                                                                .radius_mm = radius_mm,
                                                                .mu_water_per_mm = 0.02,
                                                                .views = view_count,
                                                                .columns = n,
                                                                .rows = n,
                                                                .column_step_mm = detector_step_mm,
                                                                .row_step_mm = detector_step_mm})
                            .output);
  const ic::Projections p(one_item(raw));
  write_floats(folder / "projections.raw", p.views().span<float>());
  std::ofstream geometry(folder / "views.txt");
  geometry.precision(17);
  const std::span<const double> numbers = p.numbers("acquisition.views");
  for (std::size_t i = 0; i < numbers.size(); ++i)
    geometry << numbers[i] << ((i + 1) % ic::numbers_per_view == 0 ? '\n' : ' ');
  truth.add_output("out", truth
                              .add<ic::PhantomVolume>("truth", {.phantom = ic::PhantomKind::shepp_logan,
                                                                .radius_mm = radius_mm,
                                                                .mu_water_per_mm = 0.02,
                                                                .nx = n,
                                                                .ny = n,
                                                                .nz = n,
                                                                .spacing_mm = {voxel_mm},
                                                                .unit = ic::PhantomUnit::per_mm})
                              .output);
  write_floats(folder / "truth.raw", ic::Volume(one_item(truth)).values());
}

/// VmHWM or VmRSS of this process, MB.
double memory_mb(const char* key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind(key, 0) == 0) return std::stod(line.substr(line.find(':') + 1)) / 1024.0;
  return 0.0;
}

void run(const ic::Context& context, const fs::path& folder) {
  ic::Projections p = ic::Projections::describe(view_count, n, n);
  std::vector<ic::View> views(view_count);
  std::ifstream geometry(folder / "views.txt");
  for (ic::View& v : views) {
    double numbers[ic::numbers_per_view];
    for (double& x : numbers) geometry >> x;
    std::memcpy(&v, numbers, sizeof v);
  }
  ic::set_views(p, views);
  context.allocate(p);
  const auto values = p.views().span<float>();
  std::ifstream(folder / "projections.raw", std::ios::binary)
      .read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(values.size_bytes()));

  ic::Pipeline pipeline(context);
  const auto in = pipeline.add_input("in", p);
  const auto fdk = pipeline.add<ic::FdkReconstruction>(
      "fdk", {.nx = n, .ny = n, .nz = n, .spacing_mm = {voxel_mm}, .unit = ic::AttenuationUnit::per_mm});
  pipeline.connect(in, fdk.input);
  pipeline.add_output("out", fdk.output);
  const auto clock = [] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  };
  const double before_plan = clock();
  ic::Session session = pipeline.prepare({.in_flight = 1});
  const double planned = clock() - before_plan;
  session.start();
  std::vector<double> seconds;
  for (int k = 0; k < 3; ++k) {
    const double begin = clock();
    session.push("in", p);
    const auto item = session.pull("out");
    if (!item) session.wait();
    seconds.push_back(clock() - begin);
    if (k == 2) write_floats(folder / "isocenter.raw", ic::Volume(*item).values());
  }
  session.end_input("in");
  session.wait();
  std::sort(seconds.begin(), seconds.end());
  std::printf("{\"plan_s\": %.6f, \"time_s\": %.6f, \"first_s\": %.6f, \"peak_mb\": %.1f}\n", planned, seconds[1],
              seconds[2], memory_mb("VmHWM"));
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) {
    std::fprintf(stderr, "usage: ct_fdk write|run DIR\n");
    return 2;
  }
  // The library alone is measured: the run-time modules' libraries take some 38 MB of a process.
  const ic::Context context(isocenter_context_options{sizeof(isocenter_context_options), ISOCENTER_CONTEXT_NO_MODULES,
                                                      nullptr, nullptr, 0, nullptr, nullptr, nullptr});
  std::strcmp(argv[1], "write") == 0 ? write(context, argv[2]) : run(context, argv[2]);
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "ct_fdk: %s\n", e.what());
  return 1;
}
