// Resolution and noise through the cone path against closed forms; helical and breathing scans against the tables of
// docs/recon/quality.md.
#include <cmath>
#include <cstdio>
#include <isocenter/recon/helical_reconstruction.hpp>

#include "breathing_images.hpp"
#include "phantom/poisson.hpp"
#include "quality_test_data.hpp"

namespace isocenter::testing {
namespace {

ISOCENTER_DEVICE_SUITE(ConeQuality);

double hann_at(double x) { return 0.5 + 0.5 * std::cos(std::numbers::pi * x); }

/// Elements of 1 mm as seen at the axis, 600 mm from the source.
CircularOrbit cone_orbit(int views, int columns, int rows) {
  CircularOrbit o{.views = views, .columns = columns, .rows = rows};
  o.source_to_isocenter_mm = 600;
  o.source_to_detector_mm = 900;
  o.column_step_mm = o.row_step_mm = 1.5;
  return o;
}

/// What is left of frequency f: across the axis window times linear interpolation between columns, along it no filter
/// but interpolation between rows; mean over the directions that ball_mtf takes.
double cone_transfer(double f, bool along, FdkWindow window) {
  const double from = along ? 65 : 0, to = along ? 90 : 15;
  double sum = 0.0, weights = 0.0;
  for (int k = 0; k < 200; ++k) {
    const double angle = (from + (to - from) * (k + 0.5) / 200) * std::numbers::pi / 180;
    const double across = f * std::cos(angle), up = f * std::sin(angle);
    const double left = (window == FdkWindow::hann ? hann_at(2 * across) : 1.0) * std::pow(sinc(across) * sinc(up), 2);
    sum += std::cos(angle) * left;
    weights += std::cos(angle);
  }
  return sum / weights;
}

TEST_P(ConeQuality, ABallsEdgeIsAsSharpAsWindowAndInterpolationLeaveIt) {
  const Vector3 centre{7.3, -4.6, 1.2};
  const double radius = 20;
  detail::Solids ball;
  ball.list = {detail::make_solid(detail::Solid::ellipsoid, centre, {radius, radius, radius}, detail::no_turn, 1.0,
                                  detail::label_soft_tissue)};
  const ScanSetup s{"", cone_orbit(240, 96, 63), 128, 104, 0.5};
  const Projections scan = scan_of_setup(s, ball);
  const std::vector<double> f = {0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4};
  for (const FdkWindow window : {FdkWindow::ramp, FdkWindow::hann}) {
    const Volume image = image_of(options(), Method::analytic, s, scan, nullptr, window);
    for (const bool along : {false, true}) {
      const std::vector<double> mtf = ball_mtf(image.values(), {s.n, s.n, s.nz}, 0.5, centre, radius, 10, along, f);
      for (std::size_t k = 0; k < f.size(); ++k) {
        const double closed = cone_transfer(f[k], along, window);
        std::printf("| window %d | %s | %.2f | %.3f | %.3f |\n", static_cast<int>(window), along ? "along" : "across",
                    f[k], mtf[k], closed);
        EXPECT_NEAR(mtf[k], closed, 0.022) << "window " << static_cast<int>(window) << " at " << f[k] << " /mm";
      }
    }
  }
}

TEST_P(ConeQuality, NoisePowerOfFdkIsItsClosedForm) {
  // White noise of deviation s in N views of a full circle: in the middle plane (pi / N) s² t f W(f)² sinc(f t)⁴ as for
  // a parallel beam (resolution_noise_test.cpp), because opposite views count half each and are independent; and times
  // (1 - a)² + a² for slices a of the way between two rows.
  const int views = 180, scans = 20;
  const CircularOrbit o = cone_orbit(views, 128, 3);
  const std::int64_t m = 128;
  for (const double between : {0.0, 0.5}) {
    std::vector<double> power(static_cast<std::size_t>(m / 2 + 1)), square(static_cast<std::size_t>(m * m));
    for (int k = 0; k < scans; ++k) {
      Projections noise = Projections::describe(views, o.rows, o.columns);
      set_views(noise, o.build(), o.beam);
      context().allocate(noise);
      detail::Philox random(11, static_cast<std::uint64_t>(k));
      for (float& v : noise.views().span<float>())  // of variance 1
        v = static_cast<float>(random.uniform(-std::sqrt(3.0), std::sqrt(3.0)));
      const Volume image(apply<FdkReconstruction>(context(),
                                                  {.nx = m,
                                                   .ny = m,
                                                   .nz = 1,
                                                   .spacing_mm = {0.5},
                                                   .offset_mm = {0, 0, between},
                                                   .window = FdkWindow::hann,
                                                   .unit = AttenuationUnit::per_mm},
                                                  noise, options()));
      std::copy(image.values().begin(), image.values().end(), square.begin());
      const std::vector<double> one = noise_power(square, m, 0.5);
      for (std::size_t i = 0; i < power.size(); ++i) power[i] += one[i] / scans;
    }
    const double rows = (1 - between) * (1 - between) + between * between;
    const auto closed = [&](std::size_t k) {
      const double f = static_cast<double>(k) / (static_cast<double>(m) * 0.5), w = hann_at(2 * f);
      return std::numbers::pi / views * f * w * w * std::pow(sinc(f), 4) * rows;
    };
    double all = 0.0;
    for (std::size_t k = 4; k < 28; ++k) all += closed(k);
    for (std::size_t band = 4; band < 28; band += 6) {  // 0.06 to 0.42 /mm
      double measured = 0.0, expected = 0.0;
      for (std::size_t k = band; k < band + 6; ++k) measured += power[k], expected += closed(k);
      std::printf("NPS of FDK, %.1f of the way between rows, from %.2f /mm: %.3f of its closed form\n", between,
                  static_cast<double>(band) / 64, measured / expected);
      EXPECT_NEAR(measured, expected, 0.08 * expected + 0.002 * all) << between;
    }
  }
}

TEST_P(ConeQuality, OfAHelixIsThatOfTheTable) {
  CircularOrbit turn = cone_orbit(180, 112, 16);
  turn.column_step_mm = 3;
  turn.row_step_mm = 6;
  ScanSetup s{"", turn, 96, 9, 2, 88, 8};
  const Volume truth = truth_of_setup(s, head(true)), inserts_truth = truth_of_setup(s, contrast_phantom());
  struct Row {
    const char* name;
    bool helix;
    DetectorShape detector;
    Figures reached;
    double largest_hu_error;
  };
  const Row rows[] = {{"circle, flat", false, DetectorShape::flat, {75.9, 22.39, 0.906}, 2},
                      {"helix, pitch 0.9, flat", true, DetectorShape::flat, {81.2, 21.81, 0.895}, 2.5},
                      {"helix, pitch 0.9, curved", true, DetectorShape::curved, {78.0, 22.16, 0.897}, 2}};
  for (const Row& row : rows) {
    s.orbit.detector = row.detector;
    HelicalOrbit helix{.turn = s.orbit, .pitch = 0.9};
    helix.turn.views = 4 * 180;
    helix.turn.arc_rad = 8 * std::numbers::pi;
    const auto image = [&](const detail::Solids& solids, double photons) {
      if (!row.helix) return image_of(options(), Method::analytic, s, scan_of_setup(s, solids, photons));
      return image_by<HelicalReconstruction>(options(), s, scan_of_views(helix.build(), helix.turn, solids, photons),
                                             {.window = FdkWindow::hann});
    };
    expect_row(row.name, figures_of(s, image(head(true), 1e5), truth), row.reached);
    const Volume numbers = image(contrast_phantom(), 0);
    double worst = 0.0;
    for (const Insert& i : inserts) {
      const double hu = mean_around(numbers, i.x_mm, i.y_mm, insert_mm - 5);
      std::printf(" %.1f |", hu);
      worst = std::max(worst, std::fabs(hu - i.hu));
    }
    std::printf(" %.1f |\n", worst);
    EXPECT_LT(worst, row.largest_hu_error) << row.name;
  }
}

/// A slow scan of the breathing thorax, its truth at the end of exhalation, and images of it.
struct Breathing {
  static constexpr std::int64_t nx = 84, ny = 60, nz = 60;
  static constexpr double voxel = 5;
  ScanSetup region{"", {}, nx, nz, voxel, 80, 60};  ///< around the lesion's lung and half of the heart
  Volume truth, all, phase, compensated;
  Projections one_phase;  ///< the views of phase 0
};

/// The views that phase_sort puts into frame 0 of `phases`, as a scan of their own.
Projections views_of_phase(const Projections& scan, int phases) {
  const std::span<const View> all = views_of(scan);
  const std::int64_t rows = scan.views().extent('v'), columns = scan.views().extent('u');
  std::vector<View> chosen;
  std::vector<std::size_t> from;
  for (std::size_t n = 0; n < all.size(); ++n)
    if (std::lround(all[n].phase * phases) % phases == 0) chosen.push_back(all[n]), from.push_back(n);
  Projections p = Projections::describe(static_cast<std::int64_t>(chosen.size()), rows, columns);
  set_views(p, chosen);
  p.set_numbers("mu_water_per_mm", std::vector<double>{scan.numbers("mu_water_per_mm")[0]});
  context().allocate(p);
  const auto to = p.views().span<float>();
  const auto values = scan.views().span<float>();
  const auto size = static_cast<std::size_t>(rows * columns);
  for (std::size_t k = 0; k < from.size(); ++k)
    std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(from[k] * size), size,
                to.begin() + static_cast<std::ptrdiff_t>(k * size));
  return p;
}

Breathing breathing_of(const SessionOptions& options) {
  Breathing b;
  BreathingSetup setup;
  setup.scan.views = 480;
  setup.scan.columns = 88;
  setup.scan.rows = 48;
  setup.scan.column_step_mm = setup.scan.row_step_mm = 7.8;
  setup.scan.seconds = 120;
  setup.scan.photons = 1e5;
  setup.nx = b.nx, setup.ny = b.ny, setup.nz = b.nz;
  setup.voxel_mm = b.voxel;
  const BreathingImages images = breathing_images(options, setup);
  b.one_phase = views_of_phase(images.sorted, breathing_phases);
  b.all = images.all;
  b.compensated = images.compensated;
  b.truth = images.truth;
  const auto voxels = static_cast<std::size_t>(b.nx * b.ny * b.nz);
  b.phase = Volume::own(std::vector<float>(images.phases.values().begin(),
                                           images.phases.values().begin() + static_cast<std::ptrdiff_t>(voxels)),
                        b.nx, b.ny, b.nz, b.all.geometry(), "HU");
  return b;
}

/// Mean of the voxels within `radius` mm of a point.
double mean_in_ball(const Volume& v, const Vector3& at, double radius) {
  const Geometry g = v.geometry();
  double sum = 0.0, count = 0.0;
  std::size_t i = 0;
  for (std::int64_t z = 0; z < v.nz(); ++z)
    for (std::int64_t y = 0; y < v.ny(); ++y)
      for (std::int64_t x = 0; x < v.nx(); ++x, ++i) {
        const auto p = g.position_mm(static_cast<double>(x), static_cast<double>(y), static_cast<double>(z));
        if (detail::length(detail::minus({p[0], p[1], p[2]}, at)) > radius) continue;
        sum += v.values()[i];
        count += 1;
      }
  return sum / count;
}

TEST_P(ConeQuality, OfABreathingPatientIsThatOfTheTable) {
  const Breathing b = breathing_of(options());
  const Vector3 lesion = detail::thorax_lesion_mm({}, 0.0);
  const auto tv = [&](double weight, const Volume* prior) {
    TvReconstruction::Params p{.iterations = 40, .weight_per_mm = weight};
    p.nx = b.nx, p.ny = b.ny, p.nz = b.nz;
    p.spacing_mm = {b.voxel};
    Pipeline pipeline(context());
    const auto in = pipeline.add_input("scan", b.one_phase);
    const auto node = pipeline.add<TvReconstruction>("tv", p);
    pipeline.connect(in, node.input);
    if (prior != nullptr) pipeline.connect(pipeline.add_input("prior", *prior), node.prior);
    pipeline.add_output("out", node.output);
    Session session = pipeline.prepare(options());
    session.start();
    session.push("scan", b.one_phase);
    if (prior != nullptr) session.push("prior", *prior);
    session.end_input("scan");
    if (prior != nullptr) session.end_input("prior");
    return Volume(context().copy_to(*session.pull("out"), "cpu"));
  };
  struct Row {
    const char* name;
    Volume image;
    Figures reached;
    double largest_lesion_error_hu;
  };
  const double truth = mean_in_ball(b.truth, lesion, 6);
  std::printf("lesion: %.0f HU\n", truth);
  const Row rows[] = {{"all views", b.all, {104.8, 22.82, 0.859}, 230},
                      {"one phase of eight, FDK", b.phase, {101.9, 23.06, 0.835}, 40},
                      {"one phase, TV", tv(1e-5, nullptr), {63.3, 27.19, 0.935}, 40},
                      {"one phase, PICCS, prior: all views", tv(1e-5, &b.all), {61.0, 27.52, 0.938}, 80},
                      {"motion-compensated", b.compensated, {98.9, 23.32, 0.881}, 65}};
  for (const Row& row : rows) {
    expect_row(row.name, figures_of(b.region, row.image, b.truth), row.reached);
    const double hu = mean_in_ball(row.image, lesion, 6);
    std::printf("   lesion %.0f HU\n", hu);
    EXPECT_LT(std::fabs(hu - truth), row.largest_lesion_error_hu) << row.name;
  }
}

}  // namespace
}  // namespace isocenter::testing
