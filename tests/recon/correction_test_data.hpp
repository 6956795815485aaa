#pragma once
// What the tests of preparation and correction share: operators with several inputs run on payloads in memory, scans of
// analytic phantoms in the middle plane, regions of the images that come out, and pictures where they are asked for.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <isocenter/recon/acquisition.hpp>
#include <isocenter/recon/fdk_reconstruction.hpp>
#include <map>
#include <numbers>

#include "device_test.hpp"
#include "phantom/poisson.hpp"
#include "phantom/raw_data.hpp"
#include "test_launcher.hpp"

namespace isocenter::testing {

/// One operator's outputs, in host memory, and the session's report.
struct Outcome {
  std::map<std::string, Payload> outputs;
  std::string report;
  /// The first number of a metric; NaN when the report does not have it.
  double metric(const std::string& name) const {
    const auto at = report.find("\"" + name + "\":{\"unit\"");
    if (at == std::string::npos) return std::nan("");
    return std::stod(report.substr(report.find_first_of("-0123456789", report.find('[', at))));
  }
  std::span<const float> values(const char* output = "output", const char* tensor = "views") const {
    return outputs.at(output).tensor(tensor).span<const float>();
  }
};

/// Plans an operator for payloads in memory and runs it on one list of payloads after the other. Of streams that have
/// no error: it waits for every output.
template <class Op>
std::vector<Outcome> run_items(const typename Op::Params& params, const std::vector<const char*>& ports,
                               const std::vector<std::vector<Payload>>& items,
                               const std::vector<const char*>& outputs = {"output"},
                               const SessionOptions& options = {}) {
  Pipeline pipeline(context());
  pipeline.add<Op>("node", params);
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const auto in = pipeline.add_input(ports[i], items[0][i]);
    pipeline.connect(in.node, in.name, "node", ports[i]);
  }
  for (const char* port : outputs) pipeline.add_output(port, "node", port);
  Session session = pipeline.prepare(options);
  session.start();
  std::vector<Outcome> outcomes;
  for (const auto& item : items) {
    for (std::size_t i = 0; i < ports.size(); ++i) session.push(ports[i], item[i]);
    Outcome outcome;
    for (const char* port : outputs) {
      std::optional<Payload> result = session.pull(port);
      if (!result) break;
      outcome.outputs.emplace(port, context().copy_to(*result, "cpu"));
    }
    outcome.report = session.report();
    outcomes.push_back(std::move(outcome));
  }
  for (const char* port : ports) session.end_input(port);
  session.wait();  // throws an item's error
  outcomes.back().report = session.report();
  return outcomes;
}

/// Plans an operator for one list of payloads and runs it; throws the item's error.
template <class Op>
Outcome run_once(const typename Op::Params& params, const std::vector<const char*>& ports,
                 const std::vector<Payload>& payloads, const std::vector<const char*>& outputs = {"output"},
                 const SessionOptions& options = {}) {
  Pipeline pipeline(context());
  pipeline.add<Op>("node", params);
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const auto in = pipeline.add_input(ports[i], payloads[i]);
    pipeline.connect(in.node, "output", "node", ports[i]);
  }
  for (const char* port : outputs) pipeline.add_output(port, "node", port);
  Session session = pipeline.prepare(options);
  session.start();
  for (std::size_t i = 0; i < ports.size(); ++i) session.push(ports[i], payloads[i]);
  for (const char* port : ports) session.end_input(port);
  Outcome outcome;
  for (const char* port : outputs)
    if (std::optional<Payload> result = session.pull(port))
      outcome.outputs.emplace(port, context().copy_to(*result, "cpu"));
  session.wait();
  outcome.report = session.report();
  return outcome;
}

/// Projections in memory, views × rows × columns.
inline Projections projections_from(const std::vector<float>& values, std::int64_t views, std::int64_t rows,
                                    std::int64_t columns, std::span<const View> geometry = {}, Beam beam = Beam::cone) {
  Projections p = Projections::describe(views, rows, columns);
  if (!geometry.empty()) set_views(p, geometry, beam);
  context().allocate(p);
  std::copy(values.begin(), values.end(), p.views().span<float>().begin());
  return p;
}

/// A fan of `columns` rays at each of `views` angles around a field of 2 · 100 mm.
inline CircularOrbit fan_orbit(int views = 240, int columns = 160) {
  CircularOrbit o{.views = views, .columns = columns, .rows = 1};
  o.column_step_mm = 330.0 / columns;  // 220 mm at the isocentre
  o.row_step_mm = 2;
  return o;
}

/// Exact line integrals, relative to water and in mm, times `scale`.
inline std::vector<float> line_integrals_of(const detail::Solids& solids, const CircularOrbit& orbit, double scale) {
  const std::vector<View> views = orbit.build();
  const std::size_t size = static_cast<std::size_t>(orbit.rows) * static_cast<std::size_t>(orbit.columns);
  std::vector<float> out(views.size() * size);
  for (std::size_t n = 0; n < views.size(); ++n)
    detail::project(launcher_with(2), solids, views[n], orbit.beam, orbit.rows, orbit.columns, scale,
                    out.data() + n * size);
  return out;
}

/// An upright cylinder, painted or added by the phantom that it becomes part of.
inline detail::Primitive disc(double x_mm, double y_mm, double radius_mm, double value) {
  return detail::make_solid(detail::Solid::cylinder, {x_mm, y_mm, 0}, {radius_mm, radius_mm, 500}, detail::no_turn,
                            value, detail::label_soft_tissue);
}

/// One slice in 1/mm or whatever the line integrals' unit is over mm.
struct Slice {
  int n = 0;
  double spacing_mm = 0;
  std::vector<float> values;

  double x_mm(int i) const { return (i - 0.5 * (n - 1)) * spacing_mm; }
  /// The mean over low <= distance from a point < high.
  double mean(double x, double y, double low, double high) const {
    double sum = 0.0;
    int count = 0;
    for (int j = 0; j < n; ++j)
      for (int i = 0; i < n; ++i) {
        const double r = std::hypot(x_mm(i) - x, x_mm(j) - y);
        if (r < low || r >= high) continue;
        sum += values[static_cast<std::size_t>(j * n + i)];
        ++count;
      }
    return sum / count;
  }
  double mean(double radius) const { return mean(0, 0, 0, radius); }
  /// How much darker the middle (10 mm) of a round object is than the ring 10 to 4 mm inside its border, in percent.
  double cupping_percent(double radius_mm) const {
    const double edge = mean(0, 0, radius_mm - 10, radius_mm - 4);
    return 100.0 * (edge - mean(10)) / edge;
  }
  double rmse(const Slice& truth, double radius_mm) const {
    double sum = 0.0;
    int count = 0;
    for (int j = 0; j < n; ++j)
      for (int i = 0; i < n; ++i) {
        if (std::hypot(x_mm(i), x_mm(j)) > radius_mm) continue;
        const auto at = static_cast<std::size_t>(j * n + i);
        sum += std::pow(static_cast<double>(values[at]) - truth.values[at], 2);
        ++count;
      }
    return std::sqrt(sum / count);
  }
};

/// Feldkamp's reconstruction of a fan's one slice: 200 mm across.
inline Slice slice_of(const Projections& projections, int n = 128) {
  const double spacing = 200.0 / n;
  const Volume v(apply<FdkReconstruction>(context(),
                                          {.nx = n,
                                           .ny = n,
                                           .nz = 1,
                                           .spacing_mm = {spacing},
                                           .window = FdkWindow::shepp_logan,
                                           .unit = AttenuationUnit::per_mm},
                                          projections));
  const auto values = v.values();
  return {n, spacing, {values.begin(), values.end()}};
}
inline Slice slice_of(const std::vector<float>& line_integrals, const CircularOrbit& orbit, int n = 128) {
  return slice_of(projections_from(line_integrals, orbit.views, orbit.rows, orbit.columns, orbit.build()), n);
}

/// The phantom itself on the same grid, means over the voxels.
inline Slice truth_slice(const detail::Solids& solids, double scale, int n = 128) {
  Slice s{n, 200.0 / n, std::vector<float>(static_cast<std::size_t>(n) * static_cast<std::size_t>(n))};
  const detail::Grid grid{n, n, 1, Geometry::centred(n, n, 1, {s.spacing_mm, s.spacing_mm, s.spacing_mm})};
  detail::rasterise(launcher_with(2), solids, grid, 4, scale, 0.0, s.values.data(), nullptr);
  return s;
}

/// With ISOCENTER_PICTURES=folder, writes rows of floats as a grey picture (PGM), black at low and white at high.
inline void picture(const char* name, std::span<const float> values, int width, int height, double low, double high) {
  const char* folder = std::getenv("ISOCENTER_PICTURES");
  if (folder == nullptr) return;
  std::FILE* file = std::fopen((std::string(folder) + "/" + name + ".pgm").c_str(), "wb");
  if (file == nullptr) return;
  std::fprintf(file, "P5\n%d %d\n255\n", width, height);
  for (int i = 0; i < width * height; ++i) {
    const double grey = 255.0 * (static_cast<double>(values[static_cast<std::size_t>(i)]) - low) / (high - low);
    std::fputc(static_cast<int>(std::lround(std::min(std::max(grey, 0.0), 255.0))), file);
  }
  std::fclose(file);
}
inline void picture(const char* name, const Slice& s, double low, double high) {
  picture(name, s.values, s.n, s.n, low, high);
}

}  // namespace isocenter::testing
