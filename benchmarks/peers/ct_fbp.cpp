// Our side of benchmarks/peers/ct_fbp.py.
//   ct_fbp write DIR          Shepp-Logan (original contrast), one slice: parallel and fan projections and the truth
//   ct_fbp run DIR BEAM N     reconstructs DIR/BEAM.raw (parallel, flat, curved), N slices of it, writes the first
//   slice
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
#include <isocenter/recon/fbp_reconstruction.hpp>

namespace ic = isocenter;
namespace fs = std::filesystem;

namespace {

constexpr int n = 513, columns = 729;
constexpr double radius_mm = 240, voxel_mm = 1, column_mm = 1;

ic::CircularOrbit orbit_of(const std::string& beam) {
  ic::CircularOrbit o{.views = 720, .columns = columns, .rows = 1, .column_step_mm = column_mm, .row_step_mm = 1};
  o.source_to_isocenter_mm = 1000;
  o.source_to_detector_mm = 1500;
  if (beam == "parallel") {
    o.beam = ic::Beam::parallel;
    o.arc_rad = std::numbers::pi;
  } else {
    o.column_step_mm = 1.5 * column_mm;
    o.detector = beam == "curved" ? ic::DetectorShape::curved : ic::DetectorShape::flat;
  }
  return o;
}

void write_floats(const fs::path& path, std::span<const float> values) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size_bytes()));
  if (!file) throw std::runtime_error("cannot write " + path.string());
}

void write_beam(const ic::Context& context, const fs::path& folder, const char* beam) {
  const ic::CircularOrbit o = orbit_of(beam);
  const bool parallel = o.beam == ic::Beam::parallel;
  const ic::PhantomProjections::Params params{
      .phantom = ic::PhantomKind::shepp_logan,
      .radius_mm = radius_mm,
      .mu_water_per_mm = 1,
      .beam = parallel ? ic::PhantomBeam::parallel : ic::PhantomBeam::fan,
      .detector = o.detector == ic::DetectorShape::curved ? ic::PhantomDetector::curved : ic::PhantomDetector::flat,
      .views = o.views,
      .columns = columns,
      .rows = 1,
      .source_to_isocenter_mm = o.source_to_isocenter_mm,
      .source_to_detector_mm = o.source_to_detector_mm,
      .column_step_mm = o.column_step_mm,
      .row_step_mm = 1,
      .arc_deg = parallel ? 180.0 : 360.0};
  ic::Pipeline pipeline(context);
  pipeline.add_output("out", pipeline.add<ic::PhantomProjections>("raw", params).output);
  ic::Session session = pipeline.prepare();
  session.start();
  const auto item = session.pull("out");
  session.wait();
  write_floats(folder / (std::string(beam) + ".raw"), ic::Projections(*item).views().span<float>());
}

void write(const ic::Context& context, const fs::path& folder) {
  for (const char* beam : {"parallel", "flat", "curved"}) write_beam(context, folder, beam);
  ic::Pipeline pipeline(context);
  pipeline.add_output("out", pipeline
                                 .add<ic::PhantomVolume>("truth", {.phantom = ic::PhantomKind::shepp_logan,
                                                                   .radius_mm = radius_mm,
                                                                   .mu_water_per_mm = 1,
                                                                   .nx = n,
                                                                   .ny = n,
                                                                   .nz = 1,
                                                                   .spacing_mm = {voxel_mm},
                                                                   .unit = ic::PhantomUnit::per_mm})
                                 .output);
  ic::Session session = pipeline.prepare();
  session.start();
  const auto item = session.pull("out");
  session.wait();
  write_floats(folder / "truth.raw", ic::Volume(*item).values());
}

/// VmHWM of this process, MB.
double peak_mb() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind("VmHWM", 0) == 0) return std::stod(line.substr(line.find(':') + 1)) / 1024.0;
  return 0.0;
}

void run(const ic::Context& context, const fs::path& folder, const std::string& beam, int slices) {
  ic::CircularOrbit o = orbit_of(beam);
  o.rows = slices;
  ic::Projections p = ic::Projections::describe(o.views, slices, columns);
  ic::set_views(p, o.build(), o.beam, o.detector);
  context.allocate(p);
  std::vector<float> row(static_cast<std::size_t>(o.views) * columns);
  std::ifstream(folder / (beam + ".raw"), std::ios::binary)
      .read(reinterpret_cast<char*>(row.data()), static_cast<std::streamsize>(row.size() * sizeof(float)));
  float* to = p.views().span<float>().data();
  for (int view = 0; view < o.views; ++view)
    for (int j = 0; j < slices; ++j, to += columns) std::copy_n(row.data() + view * columns, columns, to);

  ic::Pipeline pipeline(context);
  const auto in = pipeline.add_input("in", p);
  const auto fbp = pipeline.add<ic::FbpReconstruction>(
      "fbp",
      {.nx = n, .ny = n, .spacing_mm = {voxel_mm}, .unit = ic::AttenuationUnit::per_mm, .stacked_fans = slices > 1});
  pipeline.connect(in, fbp.input);
  pipeline.add_output("out", fbp.output);
  ic::Session session = pipeline.prepare({.in_flight = 1});
  session.start();
  double best = 1e9;
  for (int k = 0; k < 5; ++k) {
    const auto begin = std::chrono::steady_clock::now();
    session.push("in", p);
    const auto item = session.pull("out");
    if (!item) session.wait();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    if (k == 4) write_floats(folder / "isocenter.raw", ic::Volume(*item).values().first(n * n));
  }
  session.end_input("in");
  session.wait();
  std::printf("{\"time_s\": %.6f, \"peak_mb\": %.1f}\n", best, peak_mb());
}

}  // namespace

int main(int argc, char** argv) try {
  // The library alone is measured: the run-time modules' libraries take some 38 MB of a process.
  const ic::Context context(isocenter_context_options{sizeof(isocenter_context_options), ISOCENTER_CONTEXT_NO_MODULES,
                                                      nullptr, nullptr, 0, nullptr, nullptr, nullptr});
  if (argc == 3 && std::strcmp(argv[1], "write") == 0)
    write(context, argv[2]);
  else if (argc == 5 && std::strcmp(argv[1], "run") == 0)
    run(context, argv[2], argv[3], std::stoi(argv[4]));
  else
    throw std::invalid_argument("usage: ct_fbp write DIR | ct_fbp run DIR parallel|flat|curved SLICES");
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "ct_fbp: %s\n", e.what());
  return 1;
}
