// Our side of benchmarks/peers/ct_methods.py.
//   ct_methods write DIR N              two cone-beam scans for N^3 voxels, of which one is tilted from view to view,
//                                       and a 2-D parallel one for (2 N + 1)^2 pixels of Shepp-Logan (original
//                                       contrast): truth, exact projections and geometry, as raw float32 and text
//   ct_methods run DIR N SCAN METHOD    one method on one scan (cone, tilted, flat); writes what it gives, prints time
//                                       and memory
// METHOD: forward, back, fdk (cone), fbp (flat), sirt, sart, cgls.
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
#include <isocenter/recon/fbp_reconstruction.hpp>
#include <isocenter/recon/fdk_reconstruction.hpp>
#include <isocenter/recon/forward_projection.hpp>
#include <isocenter/recon/os_sart_reconstruction.hpp>

namespace ic = isocenter;
namespace fs = std::filesystem;

namespace {

constexpr double mu_water = 0.02, field_mm = 256;

struct Scan {
  std::string name;
  ic::PhantomBeam beam;
  std::int64_t views, columns, rows, n, nz;
  double step_mm, voxel_mm, arc_deg;
  std::int64_t cgls_iterations, sirt_iterations, sart_iterations;
  double sart_relaxation;
  double tilt_deg = 0, shift_mm = 0;  ///< of source and detector, other ones in each view
};

Scan scan_of(const std::string& name, std::int64_t n) {
  const double half = 0.5 * field_mm / static_cast<double>(n);
  if (name == "cone" || name == "tilted")
    return {.name = name,
            .beam = ic::PhantomBeam::cone,
            .views = n * 15 / 16,
            .columns = n,
            .rows = n,
            .n = n,
            .nz = n,
            .step_mm = 3 * half,
            .voxel_mm = 2 * half,
            .arc_deg = 360,
            .cgls_iterations = 5,
            .sirt_iterations = 5,
            .sart_iterations = 1,
            .sart_relaxation = 0.3,
            .tilt_deg = name == "tilted" ? 6.0 : 0.0,
            .shift_mm = name == "tilted" ? 3.0 : 0.0};
  if (name == "flat")  // odd, with pixels as large as columns, as scikit-image wants it
    return {.name = name,
            .beam = ic::PhantomBeam::parallel,
            .views = n * 45 / 16,
            .columns = n * 17 / 6 | 1,
            .rows = 1,
            .n = 2 * n + 1,
            .nz = 1,
            .step_mm = half,
            .voxel_mm = half,
            .arc_deg = 180,
            .cgls_iterations = 10,
            .sirt_iterations = 50,
            .sart_iterations = 1,
            .sart_relaxation = 0.15};
  throw std::invalid_argument("there is no scan '" + name + "': cone, tilted or flat");
}

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
  ic::Pipeline raw(context), truth(context);
  raw.add_output("out", raw.add<ic::PhantomProjections>("raw", {.phantom = ic::PhantomKind::shepp_logan,
                                                                .radius_mm = 0.46 * field_mm,
                                                                .mu_water_per_mm = mu_water,
                                                                .beam = s.beam,
                                                                .views = s.views,
                                                                .columns = s.columns,
                                                                .rows = s.rows,
                                                                .column_step_mm = s.step_mm,
                                                                .row_step_mm = s.step_mm,
                                                                .arc_deg = s.arc_deg,
                                                                .misalignment_mm = s.shift_mm,
                                                                .misalignment_deg = s.tilt_deg})
                            .output);
  const ic::Projections p(one_item(raw));
  write_floats(folder / (s.name + ".projections.raw"), p.views().span<float>());
  std::ofstream geometry(folder / (s.name + ".views.txt"));
  geometry.precision(17);
  const std::span<const double> numbers = p.numbers("acquisition.views");
  for (std::size_t i = 0; i < numbers.size(); ++i)
    geometry << numbers[i] << ((i + 1) % ic::numbers_per_view == 0 ? '\n' : ' ');
  truth.add_output("out", truth
                              .add<ic::PhantomVolume>("truth", {.phantom = ic::PhantomKind::shepp_logan,
                                                                .radius_mm = 0.46 * field_mm,
                                                                .mu_water_per_mm = mu_water,
                                                                .nx = s.n,
                                                                .ny = s.n,
                                                                .nz = s.nz,
                                                                .spacing_mm = {s.voxel_mm},
                                                                .samples = 4,
                                                                .unit = ic::PhantomUnit::per_mm})
                              .output);
  write_floats(folder / (s.name + ".truth.raw"), ic::Volume(one_item(truth)).values());
  std::printf(
      "{\"scan\": \"%s\", \"views\": %lld, \"columns\": %lld, \"rows\": %lld, \"n\": %lld, \"nz\": %lld, \"voxel\": "
      "%.17g, "
      "\"cgls\": %lld, \"sirt\": %lld, \"sart\": %lld, \"relaxation\": %g}\n",
      s.name.c_str(), static_cast<long long>(s.views), static_cast<long long>(s.columns),
      static_cast<long long>(s.rows), static_cast<long long>(s.n), static_cast<long long>(s.nz), s.voxel_mm,
      static_cast<long long>(s.cgls_iterations), static_cast<long long>(s.sirt_iterations),
      static_cast<long long>(s.sart_iterations), s.sart_relaxation);
}

double clock_s() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// VmHWM of this process, MB.
double peak_mb() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind("VmHWM", 0) == 0) return std::stod(line.substr(line.find(':') + 1)) / 1024.0;
  return 0.0;
}

/// The shortest of `repeats` runs of a session, from input in host memory to output in host memory.
template <class Pushes>
void time_it(ic::Pipeline& pipeline, const std::string& device, const fs::path& out, int repeats, Pushes&& push) {
  const bool on_cpu = device == "cpu";
  if (!on_cpu) repeats = std::max(repeats, 2);  // the first run loads the kernels
  ic::Session session = pipeline.prepare({.device = device, .in_flight = 1});
  session.start();
  double best = 1e30;
  for (int k = 0; k < repeats; ++k) {
    const double begin = clock_s();
    push(session);
    const auto item = session.pull("out");
    if (!item) session.wait();
    const ic::Payload result = on_cpu ? *item : pipeline.context().copy_to(*item, "cpu");
    best = std::min(best, clock_s() - begin);
    const bool views = result.kind() == ISOCENTER_PROJECTIONS;
    if (k + 1 == repeats) write_floats(out, result.tensor(views ? "views" : "voxels").span<float>());
  }
  std::printf("{\"time_s\": %.6f, \"peak_mb\": %.1f}\n", best, peak_mb());
}

ic::Projections read_scan(const ic::Context& context, const fs::path& folder, const Scan& s) {
  ic::Projections p = ic::Projections::describe(s.views, s.rows, s.columns);
  std::vector<ic::View> views(static_cast<std::size_t>(s.views));
  std::ifstream geometry(folder / (s.name + ".views.txt"));
  for (ic::View& v : views) {
    double numbers[ic::numbers_per_view];
    for (double& x : numbers) geometry >> x;
    std::memcpy(&v, numbers, sizeof v);
  }
  ic::set_views(p, views, s.beam == ic::PhantomBeam::parallel ? ic::Beam::parallel : ic::Beam::cone);
  context.allocate(p);
  const auto values =
      read_floats(folder / (s.name + ".projections.raw"), static_cast<std::size_t>(s.views * s.rows * s.columns));
  std::copy(values.begin(), values.end(), p.views().span<float>().begin());
  return p;
}

void run_forward(const ic::Context& context, const std::string& device, const fs::path& folder, const Scan& s,
                 const fs::path& out) {
  const ic::Projections p = read_scan(context, folder, s);
  const double mm = s.voxel_mm;
  const ic::Volume truth =
      ic::Volume::own(read_floats(folder / (s.name + ".truth.raw"), static_cast<std::size_t>(s.n * s.n * s.nz)), s.n,
                      s.n, s.nz, ic::Geometry::centred(s.n, s.n, s.nz, {mm, mm, mm}), "1/mm");
  ic::Pipeline pipeline(context);
  const auto volume = pipeline.add_input("volume", truth);
  const auto like = pipeline.add_input("geometry", p);
  const auto node = pipeline.add<ic::ForwardProjection>("node");
  pipeline.connect(volume, node.input);
  pipeline.connect(like, node.geometry);
  pipeline.add_output("out", node.output);
  time_it(pipeline, device, out, 3, [&](ic::Session& session) {
    session.push("volume", truth);
    session.push("geometry", p);
  });
}

template <class Op>
void run_from_views(const ic::Context& context, const std::string& device, const fs::path& folder, const Scan& s,
                    const fs::path& out, typename Op::Params params, int repeats) {
  const ic::Projections p = read_scan(context, folder, s);
  params.nx = params.ny = s.n;
  if constexpr (requires { params.nz; }) params.nz = s.nz;
  params.spacing_mm = {s.voxel_mm};
  if constexpr (requires { params.unit; }) params.unit = decltype(params.unit)::per_mm;
  ic::Pipeline pipeline(context);
  const auto in = pipeline.add_input("in", p);
  const auto node = pipeline.add<Op>("node", params);
  pipeline.connect(in, node.input);
  pipeline.add_output("out", node.output);
  time_it(pipeline, device, out, repeats, [&](ic::Session& session) { session.push("in", p); });
}

void run(const ic::Context& context, const std::string& device, const fs::path& folder, const Scan& s,
         const std::string& method) {
  const fs::path out = folder / (s.name + "." + method + ".isocenter.raw");
  if (method == "forward")
    run_forward(context, device, folder, s, out);
  else if (method == "back")
    run_from_views<ic::BackProjection>(context, device, folder, s, out, {}, 3);
  else if (method == "fdk")
    run_from_views<ic::FdkReconstruction>(context, device, folder, s, out, {}, 3);
  else if (method == "fbp")
    run_from_views<ic::FbpReconstruction>(context, device, folder, s, out, {}, 3);
  else if (method == "sirt")
    run_from_views<ic::OsSartReconstruction>(context, device, folder, s, out, {.iterations = s.sirt_iterations}, 1);
  else if (method == "sart")
    run_from_views<ic::OsSartReconstruction>(
        context, device, folder, s, out,
        {.subsets = s.views, .iterations = s.sart_iterations, .relaxation = s.sart_relaxation, .positivity = false}, 1);
  else if (method == "cgls")
    run_from_views<ic::CglsReconstruction>(context, device, folder, s, out, {.iterations = s.cgls_iterations}, 1);
  else
    throw std::invalid_argument("there is no method '" + method + "'");
}

}  // namespace

int main(int argc, char** argv) try {
  const std::string device = argc == 7 ? argv[6] : "cpu";
  // On the CPU the library alone is measured: the run-time modules' libraries take some 38 MB of a process.
  const std::uint32_t flags = device == "cpu" ? std::uint32_t{ISOCENTER_CONTEXT_NO_MODULES} : 0;
  const ic::Context context(isocenter_context_options{sizeof(isocenter_context_options), flags, nullptr, nullptr, 0,
                                                      nullptr, nullptr, nullptr});
  if (argc == 4 && std::strcmp(argv[1], "write") == 0)
    for (const char* scan : {"cone", "tilted", "flat"}) write(context, argv[2], scan_of(scan, std::stol(argv[3])));
  else if ((argc == 6 || argc == 7) && std::strcmp(argv[1], "run") == 0)
    run(context, device, argv[2], scan_of(argv[4], std::stol(argv[3])), argv[5]);
  else
    throw std::invalid_argument(
        "usage: ct_methods write DIR N | ct_methods run DIR N cone|tilted|flat METHOD [DEVICE]");
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "ct_methods: %s\n", e.what());
  return 1;
}
