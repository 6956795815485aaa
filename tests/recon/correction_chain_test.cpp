// Raw counts to Hounsfield units in one pipeline: frames, defects, a drifting polychromatic beam, rings, metal.
//   counts, dark, flat -> line_integrals -> beam_hardening -> ring_removal -> fdk -> metal_prior -> projections of
//   metal and prior -> metal_artefact_reduction -> fdk -> hounsfield_calibration
#include <isocenter/recon/beam_hardening.hpp>
#include <isocenter/recon/forward_projection.hpp>
#include <isocenter/recon/hounsfield_calibration.hpp>
#include <isocenter/recon/line_integrals.hpp>
#include <isocenter/recon/metal_artefact_reduction.hpp>
#include <isocenter/recon/metal_prior.hpp>
#include <isocenter/recon/ring_removal.hpp>

#include "correction_test_data.hpp"

namespace isocenter::testing {
namespace {

ISOCENTER_DEVICE_SUITE(CorrectionChain);

constexpr double water = 0.02, hardening = 0.025;
constexpr double pins[2][2] = {{-35, 10}, {35, 10}};

struct Rod {
  double x_mm, y_mm, hu;
};
constexpr Rod rods[] = {{0, 50, -120}, {0, -50, 250}, {-48, -38, 60}};

detail::Solids body(bool with_metal) {
  detail::Solids s{{disc(0, 0, 80, 1.0)}, detail::Composition::painted};
  for (const Rod& r : rods) s.list.push_back(disc(r.x_mm, r.y_mm, 10, 1 + r.hu / 1000));
  if (with_metal)
    for (const auto& pin : pins) s.list.push_back(disc(pin[0], pin[1], 3, 20.0));
  return s;
}

/// What the detector counts: five rows of pixels with offsets, gains of 80 to 120 %, columns that see the object up
/// to 1.5 % (two: 8 %) brighter or darker than the open beam, and dead columns; a beam of 2·10⁵ photons that hardens in
/// water and drifts by 15 %.
struct Counts {
  CircularOrbit orbit = fan_orbit(360);
  std::vector<float> scan, dark, flat;
  Counts() {
    orbit.rows = 5;
    const auto pixels = static_cast<std::size_t>(orbit.rows * orbit.columns);
    std::vector<float> p = line_integrals_of(body(true), orbit, water);
    for (float& v : p)  // so that p = q + hardening q² gives the line integral q of one energy back
      v = static_cast<float>((-1 + std::sqrt(1 + 4 * hardening * static_cast<double>(v))) / (2 * hardening));
    detail::add_photon_noise(launcher_with(1), p, 2e5, 3, 0);
    detail::Philox random(8, 0);
    std::vector<double> offset, gain, less;
    for (int u = 0; u < 160; ++u) less.push_back(u < 8 || u >= 152 ? 1.0 : random.uniform(0.985, 1.015));
    less[62] = 0.92;
    less[101] = 1.08;
    for (std::size_t i = 0; i < pixels; ++i) {
      offset.push_back(random.uniform(90, 110));
      gain.push_back(i % 160 == 47 || i % 160 == 120 ? 0.0 : random.uniform(0.8, 1.2));
    }
    for (std::size_t k = 0; k < p.size(); ++k) {
      const std::size_t i = k % pixels, view = k / pixels;
      const double drift = 1 + 0.15 * static_cast<double>(view) / 360, ring = less[i % 160];
      scan.push_back(static_cast<float>(offset[i] + 2e5 * drift * ring * gain[i] * std::exp(-p[k])));
    }
    for (int n = 0; n < 8; ++n)
      for (std::size_t i = 0; i < pixels; ++i) {
        dark.push_back(static_cast<float>(offset[i] + random.uniform(-3, 3)));
        flat.push_back(static_cast<float>(offset[i] + 2e5 * gain[i] + random.uniform(-300, 300)));
      }
  }
};

/// Which corrections are made.
struct Steps {
  bool hardening = true, rings = true, metal = true;
};

Slice hounsfield_image(const Counts& counts, const Steps& steps, const SessionOptions& options) {
  const CircularOrbit& o = counts.orbit;
  const Projections scan = projections_from(counts.scan, 360, 5, 160, o.build());
  const Projections dark = projections_from(counts.dark, 8, 5, 160), flat = projections_from(counts.flat, 8, 5, 160);
  const FdkReconstruction::Params image{.nx = 128,
                                        .ny = 128,
                                        .nz = 1,
                                        .spacing_mm = {200.0 / 128},
                                        .window = FdkWindow::shepp_logan,
                                        .mu_water_per_mm = water};
  Pipeline p(context());
  const auto in = p.add_input("scan", scan), in_dark = p.add_input("dark", dark), in_flat = p.add_input("flat", flat);
  const auto lines = p.add<LineIntegrals>("lines", {.border_columns = 8});
  p.connect(in, lines.input);
  p.connect(in_dark, lines.dark);
  p.connect(in_flat, lines.flat);
  std::vector<double> coefficients = {1};
  if (steps.hardening) coefficients.push_back(hardening);
  const auto water_like = p.add<BeamHardening>("water_like", {.coefficients = coefficients});
  p.connect(lines.output, water_like.input);
  std::string corrected = "water_like";
  if (steps.metal) {
    p.add<FdkReconstruction>("first", image);
    p.add<MetalPrior>("classes", {.metal_from_hu = 3000});
    p.connect(corrected, "output", "first", "input");
    p.connect("first", "output", "classes", "input");
    for (const char* which : {"metal", "prior"}) {
      const std::string node = std::string("projected_") + which;
      p.add<ForwardProjection>(node, {.mu_water_per_mm = water});
      p.connect("classes", which, node, "input");
      p.connect(corrected, "output", node, "geometry");
    }
    p.add<MetalArtefactReduction>("inpainted", {});
    p.connect(corrected, "output", "inpainted", "input");
    p.connect("projected_metal", "output", "inpainted", "metal");
    p.connect("projected_prior", "output", "inpainted", "prior");
    corrected = "inpainted";
  }
  if (steps.rings) {  // behind the inpainting: sorted columns that metal crosses are not alike
    p.add<RingRemoval>("rings", {});
    p.connect(corrected, "output", "rings", "input");
    corrected = "rings";
  }
  FdkReconstruction::Params second = image;
  second.unit = AttenuationUnit::per_mm;
  p.add<FdkReconstruction>("second", second);
  p.add<HounsfieldCalibration>(
      "hu", {.water_centre_mm = {32, -28, 0}, .water_radius_mm = 10, .air_centre_mm = {0, 92, 0}, .air_radius_mm = 4});
  p.connect(corrected, "output", "second", "input");
  p.connect("second", "output", "hu", "input");
  p.add_output("out", "hu", "output");
  Session session = p.prepare(options);
  session.start();
  session.push("scan", scan);
  session.push("dark", dark);
  session.push("flat", flat);
  for (const char* name : {"scan", "dark", "flat"}) session.end_input(name);
  const auto item = session.pull("out");
  if (!item) session.wait();
  const Volume v(context().copy_to(*item, "cpu"));
  EXPECT_EQ(v.unit(), "HU");
  return {128, 200.0 / 128, {v.values().begin(), v.values().end()}};
}

/// RMSE in HU within 75 mm, outside of the pins and their rims.
double error_beside_metal(const Slice& s) {
  const Slice truth = truth_slice(body(false), 1000);
  double sum = 0.0;
  int n = 0;
  for (int j = 0; j < s.n; ++j)
    for (int i = 0; i < s.n; ++i) {
      const double x = s.x_mm(i), y = s.x_mm(j);
      if (std::hypot(x, y) > 75 || std::hypot(x + 35, y - 10) < 7 || std::hypot(x - 35, y - 10) < 7) continue;
      const auto at = static_cast<std::size_t>(j * s.n + i);
      sum += std::pow(static_cast<double>(s.values[at]) - (truth.values[at] - 1000.0), 2);
      ++n;
    }
  return std::sqrt(sum / n);
}

TEST_P(CorrectionChain, TakesCountsToHounsfieldUnitsAndEveryStepCounts) {
  const Counts counts;
  const Slice all = hounsfield_image(counts, {}, options());
  const Slice no_metal = hounsfield_image(counts, {.metal = false}, options()),
              no_rings = hounsfield_image(counts, {.rings = false}, options()),
              no_hardening = hounsfield_image(counts, {.hardening = false}, options());
  picture("chain_all", all, -200, 300);
  picture("chain_no_metal", no_metal, -200, 300);
  picture("chain_no_rings", no_rings, -200, 300);
  picture("chain_no_hardening", no_hardening, -200, 300);
  std::printf("RMSE beside metal: %.1f HU; without metal correction %.1f, without rings %.1f, without hardening %.1f\n",
              error_beside_metal(all), error_beside_metal(no_metal), error_beside_metal(no_rings),
              error_beside_metal(no_hardening));
  for (const Rod& r : rods) {
    std::printf("rod of %.0f HU: %.1f\n", r.hu, all.mean(r.x_mm, r.y_mm, 0, 6));
    EXPECT_NEAR(all.mean(r.x_mm, r.y_mm, 0, 6), r.hu, 18);
  }
  EXPECT_LT(error_beside_metal(all), 24);
  EXPECT_GT(error_beside_metal(no_metal), 5 * error_beside_metal(all));
  EXPECT_GT(error_beside_metal(no_rings), 1.05 * error_beside_metal(all));
  EXPECT_GT(error_beside_metal(no_hardening), 1.05 * error_beside_metal(all));
}

}  // namespace
}  // namespace isocenter::testing
