// Resolution, noise and CT numbers: of filtered back projection against closed forms, of every method against the
// tables of docs/recon/quality.md.
#include <cmath>
#include <cstdio>

#include "phantom/poisson.hpp"
#include "quality_test_data.hpp"
#include "ray_transfer.hpp"

namespace isocenter::testing {
namespace {

ISOCENTER_DEVICE_SUITE(Resolution);

constexpr FdkWindow windows[] = {FdkWindow::ramp, FdkWindow::shepp_logan, FdkWindow::cosine, FdkWindow::hamming,
                                 FdkWindow::hann};

/// Parallel beam, columns of 1 mm, pixels of half a column.
CircularOrbit parallel_orbit(int views, int rows = 1) {
  CircularOrbit o{.views = views, .columns = 128, .rows = rows, .column_step_mm = 1, .row_step_mm = 1};
  o.beam = Beam::parallel;
  o.arc_rad = std::numbers::pi;
  return o;
}

TEST_P(Resolution, OfFilteredBackProjectionIsWindowTimesInterpolation) {
  // Off centre, so that the edge meets the columns everywhere between their centres.
  const double x = 7.3, y = -4.6, radius = 32;
  detail::Solids disc;
  disc.list = {detail::make_solid(detail::Solid::cylinder, {x, y, 0}, {radius, radius, 99}, detail::no_turn, 1.0,
                                  detail::label_soft_tissue)};
  const ScanSetup s{"", parallel_orbit(360), 192, 1, 0.5};
  const Projections scan = scan_of_setup(s, disc);
  const std::vector<double> f = {0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4};
  for (const FdkWindow window : windows) {
    const Volume image = image_of(options(), Method::analytic, s, scan, nullptr, window);
    const std::vector<double> mtf = edge_mtf(image.values(), {192, 0.5}, x, y, radius, 12, f);
    for (std::size_t k = 0; k < f.size(); ++k) {
      const double closed = window_at(window, 2 * f[k]) * sinc(f[k]) * sinc(f[k]);
      EXPECT_NEAR(mtf[k], closed, 0.015) << "window " << static_cast<int>(window) << " at " << f[k] << " /mm";
    }
  }
}

TEST_P(Resolution, NoisePowerOfFilteredBackProjectionIsItsClosedForm) {
  // White noise of deviation s in N views of columns t apart: NPS(f) = (pi / N) s² t f W(f)² sinc(f t)⁴ (Riederer, Pelc
  // and Chesler, Phys. Med. Biol. 23 (1978) 446, with linear interpolation). Twenty rows are twenty realisations.
  const int views = 180, rows = 20;
  const CircularOrbit o = parallel_orbit(views, rows);
  Projections noise = Projections::describe(views, rows, o.columns);
  set_views(noise, o.build(), o.beam);
  context().allocate(noise);
  detail::Philox random(7, 0);
  for (float& v : noise.views().span<float>()) {  // uniform, of variance 1: white is all that counts
    v = static_cast<float>(random.uniform(-std::sqrt(3.0), std::sqrt(3.0)));
  }
  const std::int64_t m = 128;
  for (const FdkWindow window : windows) {
    const Volume image(apply<FbpReconstruction>(
        context(), {.nx = m, .ny = m, .spacing_mm = {0.5}, .window = window, .unit = AttenuationUnit::per_mm}, noise,
        options()));
    std::vector<double> power(static_cast<std::size_t>(m / 2 + 1)), square(static_cast<std::size_t>(m * m));
    for (int z = 0; z < rows; ++z) {
      const auto slice = image.values().subspan(static_cast<std::size_t>(z * m * m), square.size());
      std::copy(slice.begin(), slice.end(), square.begin());
      const std::vector<double> one = noise_power(square, m, 0.5);
      for (std::size_t k = 0; k < power.size(); ++k) power[k] += one[k] / rows;
    }
    const auto closed = [&](std::size_t k) {
      const double f = static_cast<double>(k) / (static_cast<double>(m) * 0.5), w = window_at(window, 2 * f);
      return std::numbers::pi / views * f * w * w * std::pow(sinc(f), 4);
    };
    double all = 0.0;
    for (std::size_t k = 4; k < 28; ++k) all += closed(k);
    for (std::size_t band = 4; band < 28; band += 6) {  // 0.06 to 0.42 /mm; the columns' Nyquist frequency is 0.5
      double measured = 0.0, expected = 0.0;
      for (std::size_t k = band; k < band + 6; ++k) measured += power[k], expected += closed(k);
      std::printf("NPS window %d from %.2f /mm: %.4f of its closed form\n", static_cast<int>(window),
                  static_cast<double>(band) / 64, measured / expected);
      EXPECT_NEAR(measured, expected, 0.06 * expected + 0.002 * all) << "window " << static_cast<int>(window);
    }
  }
}

// ---- every method -------------------------------------------------------------------------------------------------

TEST_P(Resolution, CtNumbersNoiseAndSharpnessOfEveryMethodAreThoseOfTheTable) {
  struct Bounds {
    double largest_hu_error, least_mtf50_per_mm, largest_noise_hu;
  };
  constexpr Bounds bounds[] = {{2, 0.115, 7.5},   {7, 0.132, 10.3}, {7, 0.133, 10.4}, {16, 0.140, 12.6},
                               {23, 0.200, 19.2}, {4, 0.240, 1.0},  {2, 0.240, 1.2}};
  const ScanSetup s = setups(180)[1];  // flat fan
  const Projections exact = scan_of_setup(s, contrast_phantom()), a = scan_of_setup(s, contrast_phantom(), 1e5, 1),
                    b = scan_of_setup(s, contrast_phantom(), 1e5, 2);
  const std::int64_t m = 32;
  const Volume prior = truth_of_setup(s, contrast_phantom(3));  // of PICCS: without the 300 HU insert
  for (int k = 0; k < 7; ++k) {
    const auto method = static_cast<Method>(k);
    const Volume image = image_of(options(), method, s, exact, &prior);
    double worst = 0.0;
    std::printf("| %s |", method_names[k]);
    for (const Insert& i : inserts) {
      const double hu = mean_around(image, i.x_mm, i.y_mm, insert_mm - 5);
      std::printf(" %.1f |", hu);
      worst = std::max(worst, std::fabs(hu - i.hu));
    }
    const double mtf50 =
        mtf_frequency(image.values(), {s.n, s.voxel_mm}, inserts[3].x_mm, inserts[3].y_mm, insert_mm, 10, 0.5);
    // Noise: half the difference of two scans has the variance of one, twice too small; its middle square.
    const Volume first = image_of(options(), method, s, a, &prior), second = image_of(options(), method, s, b, &prior);
    std::vector<double> square;
    double variance = 0.0;
    for (std::int64_t y = 32; y < 32 + m; ++y)
      for (std::int64_t x = 32; x < 32 + m; ++x) {
        const auto at = static_cast<std::size_t>(y * s.n + x);
        square.push_back((static_cast<double>(first.values()[at]) - second.values()[at]) / std::sqrt(2.0));
        variance += square.back() * square.back() / static_cast<double>(m * m);
      }
    const std::vector<double> power = noise_power(square, m, s.voxel_mm);
    double sum = 0.0, weighted = 0.0;
    for (std::size_t r = 1; r < power.size(); ++r) {
      const double f = static_cast<double>(r) / (static_cast<double>(m) * s.voxel_mm);
      sum += power[r] * f;
      weighted += power[r] * f * f;
    }
    std::printf(" %.1f | %.3f | %.1f | %.3f |\n", worst, mtf50, std::sqrt(variance), weighted / sum);
    EXPECT_LT(worst, bounds[k].largest_hu_error) << method_names[k];
    EXPECT_GT(mtf50, bounds[k].least_mtf50_per_mm) << method_names[k];
    EXPECT_LT(std::sqrt(variance), bounds[k].largest_noise_hu) << method_names[k];
  }
}

TEST_P(Resolution, ASmallDiscIsTooBrightOnCoarsePixelsAloneWithTotalVariation) {
  // A lesion of 12 mm radius and 45 HU in lung of -800 HU, at rest, exact data. Interpolated pixels are wider than the
  // means that they stand for; what fits the data is narrower and brighter. The excess goes with the pixels' size.
  const auto mean_over_places = [&](double pixel_mm, auto&& image) {
    double sum = 0.0;
    for (const Vector3& at : {Vector3{-18, 22, 0}, {0, 0, 0}, {2.5, 2.5, 0}, {31, -9, 0}}) {
      const double parts = 5 / pixel_mm;
      CircularOrbit o{.views = 120, .columns = static_cast<int>(64 * parts), .rows = 1};
      o.column_step_mm = o.row_step_mm = 7.8 / parts;
      const ScanSetup s{"", o, static_cast<std::int64_t>(32 * parts), 1, pixel_mm, 60, 0};
      detail::Solids solids;
      for (const auto& [centre, radius, value] : {std::tuple{Vector3{}, 76.0, 0.2}, {at, 12.0, 0.845}})
        solids.list.push_back(detail::make_solid(detail::Solid::cylinder, centre, {radius, radius, 400},
                                                 detail::no_turn, value, detail::label_lesion));
      sum += mean_around(image(s, scan_of_setup(s, solids)), at[0], at[1], 6);
    }
    return sum / 4;
  };
  const auto tv = [&](const ScanSetup& s, const Projections& scan) {
    return image_by<TvReconstruction>(options(), s, scan, {.iterations = 150, .weight_per_mm = 3e-5});
  };
  const auto fbp = [&](const ScanSetup& s, const Projections& scan) {
    return image_by<FbpReconstruction>(options(), s, scan, {});
  };
  const double coarse = mean_over_places(5, tv) - 45, middle = mean_over_places(2.5, tv) - 45,
               fine = mean_over_places(1.25, tv) - 45, analytic = mean_over_places(5, fbp) - 45;
  std::printf("excess of a disc, HU: TV %.1f, %.1f, %.1f with pixels of 5, 2.5 and 1.25 mm; FBP %.1f with 5 mm\n",
              coarse, middle, fine, analytic);
  EXPECT_GT(coarse, 25);
  EXPECT_LT(middle, 0.35 * coarse);
  EXPECT_LT(std::fabs(fine), 4);
  EXPECT_LT(std::fabs(analytic), 6);
}

}  // namespace
}  // namespace isocenter::testing
