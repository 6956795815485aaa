// Resolution and noise of filtered back projection in every geometry against the closed forms of ray_transfer.hpp.
#include <cstdio>
#include <isocenter/recon/helical_reconstruction.hpp>

#include "phantom/poisson.hpp"
#include "quality_test_data.hpp"
#include "ray_transfer.hpp"

namespace isocenter::testing {
namespace {

ISOCENTER_DEVICE_SUITE(GeometryQuality);

enum class By { fbp, fdk, helical };
struct GeometryCase {
  const char* name;
  By by;
  ScanRays rays;
  bool calibrated = false;  ///< every detector shifted and turned by itself, about the orbit's
  /// `error`: which of the misalignments.
  std::vector<View> views(std::uint64_t error = 1) const {
    if (by == By::helical) return HelicalOrbit{.turn = rays.orbit, .pitch = rays.pitch}.build();
    if (!calibrated) return rays.orbit.build();
    return misaligned(rays.orbit.build(), Beam::cone, rays.orbit.columns, rays.orbit.rows,
                      {.detector_shift_mm = 1.5, .detector_turn_rad = 0.03, .seed = error});
  }
};

/// Columns of 1 mm at the axis, 600 mm from the source, that see 79 mm around it; views in a turn.
std::vector<GeometryCase> cases(int views, int rows) {
  CircularOrbit flat{.views = views, .columns = 160, .rows = 1};
  flat.source_to_isocenter_mm = 600;
  flat.source_to_detector_mm = 900;
  flat.column_step_mm = flat.row_step_mm = 1.5;
  CircularOrbit curved = flat, cone = flat;
  curved.detector = DetectorShape::curved;
  cone.rows = rows;
  const auto displaced = [](CircularOrbit orbit) {
    orbit.columns = 100;
    return displaced_detector(orbit, 30);  // 20 mm at the axis
  };
  CircularOrbit turns = cone;
  turns.rows = 16;
  turns.views = 4 * views;
  turns.arc_rad = 8 * std::numbers::pi;
  CircularOrbit curved_turns = turns;
  curved_turns.detector = DetectorShape::curved;
  return {{"flat fan", By::fbp, {flat}},
          {"flat fan, short scan", By::fbp, {short_scan(flat)}},
          {"flat fan, displaced", By::fbp, {displaced(flat)}},
          {"curved fan", By::fbp, {curved}},
          {"curved fan, short scan", By::fbp, {short_scan(curved)}},
          {"curved fan, displaced", By::fbp, {displaced(curved)}},
          {"cone, short scan", By::fdk, {short_scan(cone)}},
          {"cone, displaced", By::fdk, {displaced(cone)}},
          {"cone, calibrated", By::fdk, {cone, Resampled::onto_aligned_detector}, true},
          {"helix, flat", By::helical, {turns, Resampled::to_parallel_rays, true}},
          {"helix, curved", By::helical, {curved_turns, Resampled::to_parallel_rays, true}}};
}

/// The reconstruction in 1/mm on voxels of 0.5 mm, dz_mm along z, around a point.
Volume image_around(const SessionOptions& options, const GeometryCase& g, const Projections& scan, std::int64_t n,
                    std::int64_t nz, double dz_mm, const Vector3& at, FdkWindow window) {
  const std::vector<double> spacing = {0.5, 0.5, dz_mm}, offset(at.begin(), at.end());
  const auto by = [&]<class Op>(typename Op::Params p) {
    p.nx = p.ny = n;
    p.window = window;
    p.unit = AttenuationUnit::per_mm;
    return Volume(apply<Op>(context(), p, scan, options));
  };
  switch (g.by) {
    case By::fbp:
      return by.operator()<FbpReconstruction>({.spacing_mm = {0.5}, .offset_mm = {at[0], at[1]}});
    case By::fdk:
      return by.operator()<FdkReconstruction>({.nz = nz, .spacing_mm = spacing, .offset_mm = offset});
    case By::helical:
      return by.operator()<HelicalReconstruction>({.nz = nz, .spacing_mm = spacing, .offset_mm = offset});
  }
  throw std::logic_error("no such method");
}

// ---- noise --------------------------------------------------------------------------------------------------------

constexpr std::int64_t noise_n = 256, noise_m = 96;  // pixels of 0.5 mm, squares of 48 mm
constexpr double noise_square_mm = 0.5 * noise_m;
constexpr Vector3 noise_places[] = {{0, 0, 0}, {32, 24, 0}};

/// Slices about a row apart are as good as scans. Those of a calibrated detector lie everywhere between its rows.
struct NoiseSlices {
  explicit NoiseSlices(const GeometryCase& g)
      : count(g.by == By::fbp   ? 1
              : g.by == By::fdk ? 16
                                : 8),
        step_mm(g.calibrated      ? 1.125
                : g.by == By::fdk ? 1
                                  : 2),
        scans(g.by == By::fbp ? 16 : 3) {}
  std::int64_t count;
  double step_mm;
  int scans;
  double z_mm(std::int64_t k) const {
    return step_mm * (static_cast<double>(k) - 0.5 * static_cast<double>(count - 1));
  }
};

/// The noise power in a square at each place, of readings of variance 1; Hann window.
std::array<std::vector<double>, 2> measured_noise(const SessionOptions& options, const GeometryCase& g) {
  const NoiseSlices slices(g);
  const CircularOrbit& o = g.rays.orbit;
  std::array<std::vector<double>, 2> power;
  for (int k = 0; k < slices.scans; ++k) {
    const std::vector<View> views = g.views(static_cast<std::uint64_t>(k));
    Projections noise = Projections::describe(static_cast<std::int64_t>(views.size()), o.rows, o.columns);
    set_views(noise, views, Beam::cone, o.detector);
    context().allocate(noise);
    detail::Philox random(13, static_cast<std::uint64_t>(k));
    for (float& v : noise.views().span<float>())
      v = static_cast<float>(random.uniform(-std::sqrt(3.0), std::sqrt(3.0)));
    const Volume image = image_around(options, g, noise, noise_n, slices.count, slices.step_mm, {}, FdkWindow::hann);
    for (std::size_t p = 0; p < power.size(); ++p)
      for (std::int64_t z = 0; z < slices.count; ++z) {
        const auto x0 = static_cast<std::int64_t>(2 * noise_places[p][0]) + (noise_n - noise_m) / 2,
                   y0 = static_cast<std::int64_t>(2 * noise_places[p][1]) + (noise_n - noise_m) / 2;
        std::vector<double> square;
        for (std::int64_t y = y0; y < y0 + noise_m; ++y)
          for (std::int64_t x = x0; x < x0 + noise_m; ++x)
            square.push_back(image.values()[static_cast<std::size_t>((z * noise_n + y) * noise_n + x)]);
        const std::vector<double> one = noise_power(square, noise_m, 0.5);
        power[p].resize(one.size());
        for (std::size_t i = 0; i < one.size(); ++i)
          power[p][i] += one[i] / static_cast<double>(slices.scans * slices.count);
      }
  }
  return power;
}

/// The same in closed form at one frequency: the mean over the square with noise_power's taper, and over the slices.
double closed_noise(const GeometryCase& g, const std::vector<std::pair<double, std::vector<RayThrough>>>& points,
                    double f) {
  double sum = 0.0, tapers = 0.0;
  for (const auto& [taper, rays] : points) {
    sum += taper * g.rays.noise(f, FdkWindow::hann, rays);
    tapers += taper;
  }
  return sum / tapers;
}
std::vector<std::pair<double, std::vector<RayThrough>>> points_of_square(const GeometryCase& g, const Vector3& place) {
  constexpr int parts = 6;
  const NoiseSlices slices(g);
  std::vector<std::pair<double, std::vector<RayThrough>>> points;
  for (int y = 0; y < parts; ++y)
    for (int x = 0; x < parts; ++x)
      for (std::int64_t z = 0; z < slices.count; ++z) {
        const double a = (x + 0.5) / parts, b = (y + 0.5) / parts;
        points.emplace_back(std::pow(std::sin(std::numbers::pi * a) * std::sin(std::numbers::pi * b), 2),
                            g.rays.through(place[0] + noise_square_mm * (a - 0.5),
                                           place[1] + noise_square_mm * (b - 0.5), slices.z_mm(z)));
      }
  return points;
}

TEST_P(GeometryQuality, NoiseIsThatOfTheRaysThroughAPlace) {
  constexpr std::size_t first = 3, behind = 21, bins = 6;  // three bands, 0.06 to 0.44 /mm
  for (const GeometryCase& g : cases(180, 28)) {
    const auto power = measured_noise(options(), g);
    for (std::size_t p = 0; p < power.size(); ++p) {
      const auto points = points_of_square(g, noise_places[p]);
      std::vector<double> closed(behind);
      double all = 0.0, variance = 0.0, closed_variance = 0.0;
      for (std::size_t k = first; k < behind; ++k) {
        const double f = static_cast<double>(k) / noise_square_mm, ring = 2 * std::numbers::pi * f / noise_square_mm;
        closed[k] = closed_noise(g, points, f);
        all += closed[k];
        variance += ring * power[p][k];
        closed_variance += ring * closed[k];
      }
      std::printf("| %s | %.0f |", g.name, detail::length(noise_places[p]));
      for (std::size_t band = first; band < behind; band += bins) {
        double measured = 0.0, expected = 0.0;
        for (std::size_t k = band; k < band + bins; ++k) measured += power[p][k], expected += closed[k];
        std::printf(" %.3f |", measured / expected);
        EXPECT_NEAR(measured, expected, 0.06 * expected + 0.002 * all)
            << g.name << ", place " << p << ", from " << static_cast<double>(band) / noise_square_mm << " /mm";
      }
      std::printf(" %.4f (%.4f) |\n", std::sqrt(variance), std::sqrt(closed_variance));
      EXPECT_NEAR(std::sqrt(variance), std::sqrt(closed_variance), 0.025 * std::sqrt(closed_variance))
          << g.name << ", place " << p;
    }
  }
}

// ---- resolution ---------------------------------------------------------------------------------------------------

/// What is left of frequency f on average over the directions that ball_mtf takes.
double ball_signal(const ScanRays& scan, double f, bool along, FdkWindow window, std::span<const RayThrough> rays) {
  const double from = along ? 65 : 0, to = along ? 90 : 15;
  double sum = 0.0, weights = 0.0;
  for (int k = 0; k < 20; ++k) {
    const double elevation = (from + (to - from) * (k + 0.5) / 20) * std::numbers::pi / 180;
    sum += std::cos(elevation) * scan.signal(f, elevation, window, rays);
    weights += std::cos(elevation);
  }
  return sum / weights;
}

TEST_P(GeometryQuality, AnEdgeIsAsSharpAsTheRaysThroughItLeaveIt) {
  const std::vector<double> f = {0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4};
  const Vector3 at{32.2, 24.1, 0.2};
  const double radius = 12, reach = 9;
  for (const GeometryCase& g : cases(360, 63)) {
    detail::Solids solids;
    solids.list = {detail::make_solid(g.by == By::fbp ? detail::Solid::cylinder : detail::Solid::ellipsoid, at,
                                      {radius, radius, g.by == By::fbp ? 99 : radius}, detail::no_turn, 1.0,
                                      detail::label_soft_tissue)};
    const Projections scan = scan_of_views(g.views(), g.rays.orbit, solids);
    const Vector3 grid{32, 24, 0}, centre = detail::minus(at, grid);
    const std::int64_t n = 88;
    const std::vector<RayThrough> rays = g.rays.through(at[0], at[1], at[2]);
    for (const FdkWindow window : {FdkWindow::ramp, FdkWindow::hann}) {
      const Volume image = image_around(options(), g, scan, n, n, 0.5, grid, window);
      for (const bool along : {false, true}) {
        if (along && g.by == By::fbp) continue;
        const std::vector<double> mtf = g.by == By::fbp
                                            ? edge_mtf(image.values(), {n, 0.5}, centre[0], centre[1], radius, reach, f)
                                            : ball_mtf(image.values(), {n, n, n}, 0.5, centre, radius, reach, along, f);
        std::printf("| %s, %s, %s |", g.name, along ? "along" : "across", window == FdkWindow::hann ? "Hann" : "ramp");
        for (std::size_t k = 0; k < f.size(); ++k) {
          const double closed =
              g.by == By::fbp ? g.rays.signal(f[k], 0, window, rays) : ball_signal(g.rays, f[k], along, window, rays);
          std::printf(" %.3f (%.3f) |", mtf[k], closed);
          EXPECT_NEAR(mtf[k], closed, 0.02) << g.name << (along ? ", along" : ", across") << " at " << f[k] << " /mm";
        }
        std::printf("\n");
      }
    }
  }
}

}  // namespace
}  // namespace isocenter::testing
