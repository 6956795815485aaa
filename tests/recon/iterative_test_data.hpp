#pragma once
// Scans of the modified Shepp-Logan head in 2-D, and a run of an iterative operator on them.
#include <cmath>
#include <cstdlib>

#include "device_test.hpp"
#include "projector_test_data.hpp"
#include "recon/iterative_problem.hpp"

namespace isocenter::testing {

using namespace isocenter::detail;

/// A 2-D scan (fan or parallel, one row) or a flat cone of the modified Shepp-Logan head, values in 1/mm.
struct Trial {
  int n = 64;  ///< voxels along x and y
  double voxel_mm = 3;
  int views = 40;
  double photons = 0;  ///< noise; 0: none
  unsigned seed = 1;
};
constexpr double mu_water = 0.02;

inline Solids head_of(const Trial& t) {
  Solids head;
  shepp_logan(Contrast::modified, 0.46 * t.n * t.voxel_mm, &head);
  return head;
}

inline Projections scan_head(const Trial& t) {
  CircularOrbit o{.views = t.views, .columns = t.n * 3 / 2, .rows = 1};
  o.column_step_mm = o.row_step_mm = 1.2 * t.voxel_mm;
  const auto views = o.build();
  Projections p = Projections::describe(t.views, 1, o.columns);
  set_views(p, views);
  p.set_numbers("mu_water_per_mm", std::vector<double>{mu_water});
  context().allocate(p);
  const auto values = p.views().span<float>();
  for (int n = 0; n < t.views; ++n)
    project(launcher_with(1), head_of(t), views[static_cast<std::size_t>(n)], Beam::cone, 1, o.columns, mu_water,
            values.data() + n * o.columns);
  if (t.photons > 0) add_photon_noise(launcher_with(1), values, t.photons, t.seed, 0);
  return p;
}

inline std::vector<float> truth_of(const Trial& t) {
  const auto origin = -0.5 * (t.n - 1) * t.voxel_mm;
  Image image = truth_on({t.n, t.n, 1, {origin, origin, 0}, {t.voxel_mm, t.voxel_mm, t.voxel_mm}}, head_of(t), 4);
  for (float& v : image.voxels) v *= static_cast<float>(mu_water);
  return image.voxels;
}

template <class Params>
Params on_grid(const Trial& t, Params params) {
  params.nx = params.ny = t.n;
  params.nz = 1;
  params.spacing_mm = {t.voxel_mm};
  params.unit = decltype(params.unit)::per_mm;
  return params;
}

inline Volume volume_like(const Trial& t, std::vector<float> values, const char* unit = "1/mm") {
  return Volume::own(std::move(values), t.n, t.n, 1,
                     Geometry::centred(t.n, t.n, 1, {t.voxel_mm, t.voxel_mm, t.voxel_mm}), unit);
}

struct Result {
  std::vector<float> voxels;
  std::vector<double> residual;
  double iterations = 0;
};

inline std::vector<double> numbers_after(const std::string& report, const std::string& metric) {
  std::vector<double> values;
  const auto at = report.find('[', report.rfind("\"" + metric + "\""));
  const char* text = report.c_str() + at + 1;
  for (char* end = nullptr;; text = end + 1) {
    values.push_back(std::strtod(text, &end));
    while (*end == ' ' || *end == '\n') ++end;
    if (*end != ',') return values;
  }
}

using OptionalInputs = std::vector<std::pair<std::string, Payload>>;

/// Runs an iterative operator with its optional inputs.
template <class Op>
Result reconstruct_by(const SessionOptions& options, const Projections& scan, const typename Op::Params& params,
                      const OptionalInputs& optional_inputs = {}) {
  Pipeline pipeline(context());
  pipeline.add_input("scan", scan);
  for (const auto& [name, payload] : optional_inputs) pipeline.add_input(name, payload);
  pipeline.add<Op>("recon", params);
  pipeline.connect("scan", "output", "recon", "input");
  for (const auto& [name, payload] : optional_inputs) pipeline.connect(name, "output", "recon", name);
  pipeline.add_output("out", "recon", "output");
  Session session = pipeline.prepare(options);
  session.start();
  session.push("scan", scan);
  for (const auto& [name, payload] : optional_inputs) session.push(name.c_str(), payload);
  session.end_input("scan");
  for (const auto& [name, payload] : optional_inputs) session.end_input(name.c_str());
  const auto item = session.pull("out");
  if (!item) session.wait();
  const Volume volume(context().copy_to(*item, "cpu"));
  const auto values = volume.values();
  Result r{{values.begin(), values.end()}, {}, 0};
  if (options.device == "cpu") {
    r.residual = numbers_after(session.report(), "relative_residual");
    r.iterations = numbers_after(session.report(), "iterations")[0];
  }
  return r;
}

inline double rmse(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::pow(static_cast<double>(a[i]) - b[i], 2);
  return std::sqrt(sum / static_cast<double>(a.size()));
}

}  // namespace isocenter::testing
