// Our side of benchmarks/peers/ct_iterative.py.
//   ct_iterative write DIR   a cone-beam and a 2-D parallel scan of Shepp-Logan (original contrast): truth on the grid,
//                            exact projections and geometry, as raw float32 and text
//   ct_iterative run DIR     forward and back projection, CGLS and SIRT of both; writes what they give, prints their
//   times
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
#include <isocenter/recon/back_projection.hpp>
#include <isocenter/recon/cgls_reconstruction.hpp>
#include <isocenter/recon/forward_projection.hpp>
#include <isocenter/recon/os_sart_reconstruction.hpp>

namespace ic = isocenter;
namespace fs = std::filesystem;

namespace {

struct Scan {
  const char* name;
  ic::PhantomBeam beam;
  std::int64_t views, columns, rows, n, nz;
  double step_mm, voxel_mm, arc_deg;
  std::int64_t cgls_iterations, sirt_iterations;
};
constexpr Scan scans[] = {
    {"cone", ic::PhantomBeam::cone, 120, 128, 128, 128, 128, 3, 2, 360, 5, 5},
    {"flat", ic::PhantomBeam::parallel, 360, 363, 1, 256, 1, 1, 1, 180, 20, 50},
};
constexpr double mu_water = 0.02;
double radius_mm(const Scan& s) { return 0.46 * static_cast<double>(s.n) * s.voxel_mm; }

void write_floats(const fs::path& path, std::span<const float> values) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size_bytes()));
  if (!file) throw std::runtime_error("cannot write " + path.string());
}

std::vector<float> read_floats(const fs::path& path, std::size_t count) {
  std::vector<float> values(count);
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(count * sizeof(float)));
  if (!file) throw std::runtime_error("cannot read " + path.string());
  return values;
}

ic::Payload one_item(ic::Pipeline& pipeline) {
  ic::Session session = pipeline.prepare();
  session.start();
  const auto item = session.pull("out");
  if (!item) session.wait();
  ic::Payload copy = pipeline.context().copy_to(*item, "cpu");
  return copy;
}

void write(const ic::Context& context, const fs::path& folder, const Scan& s) {
  const std::string name = s.name;
  ic::Pipeline raw(context), truth(context);
  raw.add_output("out", raw.add<ic::PhantomProjections>("raw", {.phantom = ic::PhantomKind::shepp_logan,
                                                                .radius_mm = radius_mm(s),
                                                                .mu_water_per_mm = mu_water,
                                                                .beam = s.beam,
                                                                .views = s.views,
                                                                .columns = s.columns,
                                                                .rows = s.rows,
                                                                .column_step_mm = s.step_mm,
                                                                .row_step_mm = s.step_mm,
                                                                .arc_deg = s.arc_deg})
                            .output);
  const ic::Projections p(one_item(raw));
  write_floats(folder / (name + ".projections.raw"), p.views().span<float>());
  std::ofstream geometry(folder / (name + ".views.txt"));
  geometry.precision(17);
  const std::span<const double> numbers = p.numbers("acquisition.views");
  for (std::size_t i = 0; i < numbers.size(); ++i)
    geometry << numbers[i] << ((i + 1) % ic::numbers_per_view == 0 ? '\n' : ' ');
  truth.add_output("out", truth
                              .add<ic::PhantomVolume>("truth", {.phantom = ic::PhantomKind::shepp_logan,
                                                                .radius_mm = radius_mm(s),
                                                                .mu_water_per_mm = mu_water,
                                                                .nx = s.n,
                                                                .ny = s.n,
                                                                .nz = s.nz,
                                                                .spacing_mm = {s.voxel_mm},
                                                                .samples = 4,
                                                                .unit = ic::PhantomUnit::per_mm})
                              .output);
  write_floats(folder / (name + ".truth.raw"), ic::Volume(one_item(truth)).values());
}

double clock_s() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// The shortest of three runs of a prepared session, push to pull.
template <class Pushes>
double time_of(ic::Session& session, const fs::path& out, int repeats, Pushes&& push) {
  session.start();
  double best = 1e30;
  for (int k = 0; k < repeats; ++k) {
    const double begin = clock_s();
    push();
    const auto item = session.pull("out");
    if (!item) session.wait();
    best = std::min(best, clock_s() - begin);
    const bool views = item->kind() == ISOCENTER_PROJECTIONS;
    if (k + 1 == repeats) write_floats(out, item->tensor(views ? "views" : "voxels").span<float>());
  }
  return best;
}

void run(const ic::Context& context, const fs::path& folder, const Scan& s, bool last) {
  const std::string name = s.name;
  const auto rays = static_cast<std::size_t>(s.views * s.rows * s.columns);
  const auto voxels = static_cast<std::size_t>(s.n * s.n * s.nz);
  ic::Projections p = ic::Projections::describe(s.views, s.rows, s.columns);
  std::vector<ic::View> views(static_cast<std::size_t>(s.views));
  std::ifstream geometry(folder / (name + ".views.txt"));
  for (ic::View& v : views) {
    double numbers[ic::numbers_per_view];
    for (double& x : numbers) geometry >> x;
    std::memcpy(&v, numbers, sizeof v);
  }
  ic::set_views(p, views, s.beam == ic::PhantomBeam::parallel ? ic::Beam::parallel : ic::Beam::cone);
  context.allocate(p);
  const std::vector<float> line_integrals = read_floats(folder / (name + ".projections.raw"), rays);
  std::copy(line_integrals.begin(), line_integrals.end(), p.views().span<float>().begin());
  const ic::Volume truth =
      ic::Volume::own(read_floats(folder / (name + ".truth.raw"), voxels), s.n, s.n, s.nz,
                      ic::Geometry::centred(s.n, s.n, s.nz, {s.voxel_mm, s.voxel_mm, s.voxel_mm}), "1/mm");

  double seconds[4];
  {
    ic::Pipeline pipeline(context);
    const auto volume = pipeline.add_input("volume", truth);
    const auto like = pipeline.add_input("geometry", p);
    const auto node = pipeline.add<ic::ForwardProjection>("node");
    pipeline.connect(volume, node.input);
    pipeline.connect(like, node.geometry);
    pipeline.add_output("out", node.output);
    ic::Session session = pipeline.prepare({.in_flight = 1});
    seconds[0] = time_of(session, folder / (name + ".forward.isocenter.raw"), 3, [&] {
      session.push("volume", truth);
      session.push("geometry", p);
    });
  }
  const auto reconstruct = [&](const char* what, auto description, auto params, int repeats) {
    using Op = decltype(description);
    params.nx = params.ny = s.n;
    params.nz = s.nz;
    params.spacing_mm = {s.voxel_mm};
    ic::Pipeline pipeline(context);
    const auto in = pipeline.add_input("in", p);
    const auto node = pipeline.add<Op>("node", params);
    pipeline.connect(in, node.input);
    pipeline.add_output("out", node.output);
    ic::Session session = pipeline.prepare({.in_flight = 1});
    return time_of(session, folder / (name + "." + what + ".isocenter.raw"), repeats, [&] { session.push("in", p); });
  };
  seconds[1] = reconstruct("back", ic::BackProjection{}, ic::BackProjection::Params{}, 3);
  seconds[2] = reconstruct(
      "cgls", ic::CglsReconstruction{},
      ic::CglsReconstruction::Params{.unit = ic::AttenuationUnit::per_mm, .iterations = s.cgls_iterations}, 1);
  seconds[3] = reconstruct(
      "sirt", ic::OsSartReconstruction{},
      ic::OsSartReconstruction::Params{.unit = ic::AttenuationUnit::per_mm, .iterations = s.sirt_iterations}, 1);
  std::printf("%s\"%s\": {\"forward\": %.6f, \"back\": %.6f, \"cgls\": %.6f, \"sirt\": %.6f}%s", last ? ", " : "{",
              s.name, seconds[0], seconds[1], seconds[2], seconds[3], last ? "}\n" : "");
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) {
    std::fprintf(stderr, "usage: ct_iterative write|run DIR\n");
    return 2;
  }
  const ic::Context context;
  for (const Scan& s : scans)
    std::strcmp(argv[1], "write") == 0 ? write(context, argv[2], s) : run(context, argv[2], s, &s != scans);
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "ct_iterative: %s\n", e.what());
  return 1;
}
