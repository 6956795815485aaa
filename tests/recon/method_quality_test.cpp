// Every method where no circle goes round the head, its CT numbers in a cone beam, and where CGLS should end, against
// the tables of docs/recon/quality.md.
#include <isocenter/recon/helical_reconstruction.hpp>

#include "correction_test_data.hpp"
#include "quality_test_data.hpp"

namespace isocenter::testing {
namespace {

ISOCENTER_DEVICE_SUITE(MethodQuality);

/// 240 views in four turns, 48 × 16 elements, pitch 0.9.
Projections helix_of_head() {
  const HelicalOrbit helix{.turn = {.views = 240,
                                    .columns = 48,
                                    .rows = 16,
                                    .source_to_isocenter_mm = 600,
                                    .source_to_detector_mm = 900,
                                    .column_step_mm = 8,
                                    .row_step_mm = 6,
                                    .arc_rad = 8 * std::numbers::pi},
                           .pitch = 0.9};
  return scan_of_views(helix.build(), helix.turn, head(true), 1e5);
}

/// 25 views over 50 degrees, 64 × 64 elements at rest.
Projections tomosynthesis_of_head() {
  const TomosynthesisArc arc{
      .detector = {.columns = 64, .rows = 64, .column_step_mm = 6, .row_step_mm = 6, .y_mm = 150},
      .source_to_isocenter_mm = 900};
  return scan_of_views(arc.build(), {.views = arc.views, .columns = 64, .rows = 64}, head(true), 1e5);
}

/// The axial and the coronal slice in the middle.
void pictures_of(const std::string& name, const Volume& v) {
  const auto n = static_cast<int>(v.nx()), nz = static_cast<int>(v.nz());
  const auto slice = static_cast<std::size_t>(n) * static_cast<std::size_t>(n);
  picture((name + "_axial").c_str(), v.values().subspan(static_cast<std::size_t>(nz / 2) * slice, slice), n, n, -1000,
          0);
  std::vector<float> coronal;
  for (int z = nz - 1; z >= 0; --z) {
    const auto row = v.values().subspan(static_cast<std::size_t>(z) * slice + static_cast<std::size_t>(n / 2 * n),
                                        static_cast<std::size_t>(n));
    coronal.insert(coronal.end(), row.begin(), row.end());
  }
  picture((name + "_coronal").c_str(), coronal, n, nz, -1000, 0);
}

TEST_P(MethodQuality, FromAHelixAndFromTomosynthesisIsThatOfTheTable) {
  // The whole head: a ray has nothing to fit outside of the voxels. The grid of tomosynthesis is counted from the point
  // that all views look at, the middle of the detector at rest.
  struct Row {
    const char* name;
    Projections scan;
    double offset_y_mm;
    Figures reached[6];                      ///< SIRT to PICCS
    std::int64_t cgls_iterations;            ///< after which it is best
    Figures best_cgls, more_tv, more_piccs;  ///< TV and PICCS with three times the weight
  };
  const Row rows[] = {{"helix",
                       helix_of_head(),
                       0,
                       {{40.9, 25.83, 0.935},
                        {40.8, 25.85, 0.934},
                        {38.3, 26.40, 0.947},
                        {88.2, 19.16, 0.815},
                        {40.8, 25.84, 0.958},
                        {13.0, 35.77, 0.993}},
                       6,
                       {63.4, 22.02, 0.847},
                       {49.4, 24.19, 0.924},
                       {4.6, 44.87, 0.994}},
                      {"tomosynthesis",
                       tomosynthesis_of_head(),
                       -150,
                       {{116.1, 16.77, 0.643},
                        {115.8, 16.79, 0.643},
                        {118.8, 16.57, 0.626},
                        {132.8, 15.60, 0.518},
                        {124.1, 16.18, 0.629},
                        {61.7, 22.26, 0.918}},
                       5,
                       {120.9, 16.41, 0.522},
                       {120.1, 16.47, 0.628},
                       {14.5, 34.83, 0.989}}};
  for (const Row& row : rows) {
    const ScanSetup s{row.name, {}, 32, 32, 6, 88, 30, false, {0, row.offset_y_mm, 0}};
    const Volume truth = truth_of_setup(s, head(true)), prior = truth_of_setup(s, head(false));
    for (int m = 1; m < 7; ++m) {
      const Volume image = image_of(options(), static_cast<Method>(m), s, row.scan, &prior);
      expect_row(row.name + std::string(" | ") + method_names[m], figures_of(s, image, truth), row.reached[m - 1]);
      pictures_of("quality_" + std::string(row.name) + "_" + std::to_string(m), image);
    }
    const auto other = [&](const std::string& name, const Volume& image, const Figures& reached) {
      expect_row(row.name + (" | " + name), figures_of(s, image, truth), reached);
    };
    other("CGLS, " + std::to_string(row.cgls_iterations),
          image_by<CglsReconstruction>(options(), s, row.scan, {.iterations = row.cgls_iterations}), row.best_cgls);
    other("TV, 3e-5 /mm", image_by<TvReconstruction>(options(), s, row.scan, {.iterations = 80, .weight_per_mm = 3e-5}),
          row.more_tv);
    other("PICCS, 6e-5 /mm",
          image_by<TvReconstruction>(options(), s, row.scan, {.iterations = 80, .weight_per_mm = 6e-5}, &prior),
          row.more_piccs);
  }
  // Filtered back projection of the helix: the slices that it covers.
  const ScanSetup s{"helix", {}, 32, 11, 6, 88, 30};
  const Volume image = image_by<HelicalReconstruction>(options(), s, rows[0].scan, {.window = FdkWindow::hann});
  expect_row("helix | filtered back projection", figures_of(s, image, truth_of_setup(s, head(true))),
             {87.3, 19.01, 0.772});
  pictures_of("quality_helix_0", image);
}

TEST_P(MethodQuality, CtNumbersInAConeBeamAreThoseOfTheTable) {
  struct Bounds {
    double largest_hu_error, least_mtf50_per_mm, largest_noise_hu;
  };
  constexpr Bounds bounds[] = {{4.5, 0.080, 8.3}, {13, 0.102, 14.8}, {14, 0.103, 15.3}, {16, 0.106, 19.8},
                               {95, 0.097, 17.3}, {6, 0.160, 1.7},   {4, 0.160, 0.8}};
  const CircularOrbit cone{.views = 60,
                           .columns = 72,
                           .rows = 22,
                           .source_to_isocenter_mm = 600,
                           .source_to_detector_mm = 900,
                           .column_step_mm = 4.5,
                           .row_step_mm = 4.5};
  const ScanSetup s{"cone", cone, 64, 14, 3};
  const double half_height = 20;  // all of it within the voxels and the cone
  const Projections exact = scan_of_setup(s, contrast_phantom(4, half_height)),
                    noisy = scan_of_setup(s, contrast_phantom(4, half_height), 1e5);
  const Volume prior = truth_of_setup(s, contrast_phantom(3, half_height));  // of PICCS: without the 300 HU insert
  for (int k = 0; k < 7; ++k) {
    const auto method = static_cast<Method>(k);
    const Volume image = image_of(options(), method, s, exact, &prior),
                 other = image_of(options(), method, s, noisy, &prior);
    double worst = 0.0;
    std::printf("| %s |", method_names[k]);
    for (const Insert& i : inserts) {
      const double hu = mean_around(image, i.x_mm, i.y_mm, insert_mm - 5);
      std::printf(" %.1f |", hu);
      worst = std::max(worst, std::fabs(hu - i.hu));
    }
    const auto size = static_cast<std::size_t>(s.n * s.n);
    const auto middle = static_cast<std::size_t>(s.nz / 2) * size;
    const double mtf50 = mtf_frequency(image.values().subspan(middle, size), {s.n, s.voxel_mm}, inserts[3].x_mm,
                                       inserts[3].y_mm, insert_mm, 10, 0.5);
    // Noise: within 24 mm of the axis and 12 mm of the middle.
    double squares = 0.0, count = 0.0;
    const PixelGrid grid{s.n, s.voxel_mm};
    for (std::int64_t z = 3; z < s.nz - 3; ++z)
      for (std::int64_t y = 0; y < s.n; ++y)
        for (std::int64_t x = 0; x < s.n; ++x) {
          if (std::hypot(grid.position_mm(x), grid.position_mm(y)) > 24) continue;
          const auto at = static_cast<std::size_t>((z * s.n + y) * s.n + x);
          squares += std::pow(static_cast<double>(other.values()[at]) - image.values()[at], 2);
          count += 1;
        }
    const double noise = std::sqrt(squares / count);
    std::printf(" %.1f | %.3f | %.1f |\n", worst, mtf50, noise);
    EXPECT_LT(worst, bounds[k].largest_hu_error) << method_names[k];
    EXPECT_GT(mtf50, bounds[k].least_mtf50_per_mm) << method_names[k];
    EXPECT_LT(noise, bounds[k].largest_noise_hu) << method_names[k];
  }
  // What the prior does not have loses contrast where the prior weighs more.
  const Volume near_prior =
      image_by<TvReconstruction>(options(), s, exact, {.iterations = 80, .weight_per_mm = 6e-5}, &prior);
  EXPECT_NEAR(mean_around(near_prior, inserts[3].x_mm, inserts[3].y_mm, insert_mm - 5), 280, 3);
}

TEST_P(MethodQuality, CglsIsNearItsBestAfterSevenIterations) {
  constexpr double reached_hu[] = {48.5, 62.5, 62.2, 64.8, 67.7, 63.7, 54.8};
  constexpr double noisier_hu[] = {81.2, 70.8};
  const std::vector<ScanSetup> all = setups();
  const auto rmse = [&](const ScanSetup& s, double photons, std::int64_t iterations) {
    const Projections scan = scan_of_setup(s, head(true), photons);
    return figures_of(s, image_by<CglsReconstruction>(options(), s, scan, {.iterations = iterations}),
                      truth_of_setup(s, head(true)))
        .rmse_hu;
  };
  for (std::size_t g = 0; g < all.size(); ++g)
    for (const double photons : {1e5, 1e3}) {
      if (photons < 1e5 && g != 0 && g != 3) continue;  // with more noise the parallel beam and the full cone
      const double seven = rmse(all[g], photons, 7);
      double best = seven;
      for (const std::int64_t iterations : {5, 6, 8, 9}) best = std::min(best, rmse(all[g], photons, iterations));
      std::printf("CGLS, %s, %g photons: RMSE after 7 iterations %.1f HU, best of 5 to 9 %.1f HU\n", all[g].name,
                  photons, seven, best);
      EXPECT_LT(seven, 1.1 * best) << all[g].name;
      EXPECT_LT(seven, 1.03 * (photons == 1e5 ? reached_hu[g] : noisier_hu[g == 3])) << all[g].name;
    }
  // It is the voxels and not the noise that makes more of them worse.
  const double noisy = rmse(all[3], 1e5, 10), exact = rmse(all[3], 0, 10);
  EXPECT_NEAR(noisy, exact, 0.01 * exact);
  EXPECT_GT(exact, 1.2 * rmse(all[3], 0, 7));
}

}  // namespace
}  // namespace isocenter::testing
