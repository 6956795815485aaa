// The tables of docs/recon/quality.md: every method in every geometry against the object.
#include "correction_test_data.hpp"
#include "quality_test_data.hpp"

namespace isocenter::testing {
namespace {

ISOCENTER_DEVICE_SUITE(Quality);

struct Row {
  const char* geometry;
  Figures reached[7];  ///< RMSE in HU, PSNR in dB and SSIM of each method
};
constexpr Row table[] = {
    {"parallel",
     {{77.8, 22.18, 0.893},
      {52.0, 25.67, 0.936},
      {50.0, 26.02, 0.940},
      {48.8, 26.23, 0.949},
      {46.5, 26.65, 0.803},
      {25.3, 31.95, 0.994},
      {4.1, 47.71, 0.999}}},
    {"flat fan",
     {{76.4, 22.34, 0.817},
      {52.4, 25.61, 0.899},
      {50.8, 25.88, 0.900},
      {49.4, 26.13, 0.926},
      {61.7, 24.19, 0.744},
      {29.4, 30.65, 0.989},
      {5.7, 44.89, 0.998}}},
    {"curved fan",
     {{77.6, 22.20, 0.822},
      {53.6, 25.42, 0.892},
      {51.8, 25.72, 0.895},
      {50.9, 25.86, 0.926},
      {60.4, 24.38, 0.750},
      {27.6, 31.18, 0.993},
      {4.0, 47.98, 0.999}}},
    {"cone, full circle",
     {{85.3, 19.44, 0.783},
      {40.3, 25.96, 0.935},
      {40.2, 25.99, 0.935},
      {37.3, 26.62, 0.947},
      {88.2, 19.16, 0.817},
      {40.1, 25.99, 0.958},
      {13.2, 35.64, 0.992}}},
    {"cone, short scan",
     {{85.4, 19.43, 0.781},
      {41.7, 25.66, 0.938},
      {41.4, 25.72, 0.937},
      {39.7, 26.09, 0.946},
      {87.6, 19.21, 0.822},
      {41.0, 25.80, 0.954},
      {16.8, 33.57, 0.988}}},
    {"cone, displaced",
     {{85.6, 19.41, 0.773},
      {43.1, 25.37, 0.914},
      {42.2, 25.56, 0.915},
      {44.3, 25.14, 0.917},
      {68.4, 21.35, 0.831},
      {37.7, 26.53, 0.948},
      {13.7, 35.36, 0.989}}},
    {"cone, tilted",
     {{85.8, 19.40, 0.784},
      {33.0, 27.69, 0.957},
      {33.0, 27.70, 0.956},
      {30.3, 28.44, 0.964},
      {69.6, 21.21, 0.864},
      {30.8, 28.29, 0.975},
      {7.8, 40.22, 0.996}}},
};

TEST_P(Quality, OfEveryMethodInEveryGeometryIsThatOfTheTable) {
  const std::vector<ScanSetup> all = setups();
  for (std::size_t g = 0; g < all.size(); ++g) {
    const ScanSetup& s = all[g];
    ASSERT_STREQ(s.name, table[g].geometry);
    const Volume truth = truth_of_setup(s, head(true)), prior = truth_of_setup(s, head(false));
    const Projections scan = scan_of_setup(s, head(true), 1e5);
    for (int m = 0; m < 7; ++m) {
      const Volume image = image_of(options(), static_cast<Method>(m), s, scan, &prior);
      const auto middle = static_cast<std::size_t>(s.nz / 2 * s.n * s.n), size = static_cast<std::size_t>(s.n * s.n);
      picture(("quality_" + std::to_string(g) + "_" + std::to_string(m)).c_str(), image.values().subspan(middle, size),
              static_cast<int>(s.n), static_cast<int>(s.n), -1000, 0);
      expect_row(std::string(s.name) + " | " + method_names[m], figures_of(s, image, truth), table[g].reached[m]);
    }
  }
}

}  // namespace
}  // namespace isocenter::testing
