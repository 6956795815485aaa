// Figures of one volume against another.
#include <gmock/gmock.h>

#include <isocenter/recon/compare_volumes.hpp>

#include "device_test.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// The report's text of comparing two volumes.
std::string comparison(const Volume& input, const Volume& truth, const CompareVolumes::Params& params) {
  Pipeline pipeline(context());
  const auto a = pipeline.add_input("a", input), b = pipeline.add_input("b", truth);
  const auto compare = pipeline.add<CompareVolumes>("error", params);
  pipeline.connect(a, compare.input);
  pipeline.connect(b, compare.truth);
  Session session = pipeline.prepare();
  session.start();
  session.push("a", input);
  session.push("b", truth);
  session.end_input("a");
  session.end_input("b");
  session.wait();
  return session.report();
}

Volume volume_of(const std::vector<float>& values, std::int64_t nx, std::int64_t ny, std::int64_t nz,
                 const char* unit) {
  return Volume::own(values, nx, ny, nz, Geometry::centred(nx, ny, nz, {1, 1, 1}), unit);
}

TEST(CompareVolumesOperator, GivesTheFiguresOfItsDescription) {
  // Truth 0 and 4 in two halves, input 1 above it everywhere but for one voxel that is 3 above.
  std::vector<float> truth(64, 0.0F), input;
  for (std::size_t i = 32; i < 64; ++i) truth[i] = 4.0F;
  for (const float t : truth) input.push_back(t + 1.0F);
  input[40] += 2.0F;
  const std::string report = comparison(volume_of(input, 4, 4, 4, "1/mm"), volume_of(truth, 4, 4, 4, "1/mm"), {});
  const double rmse = std::sqrt((63.0 + 9.0) / 64);
  const auto value = [&](const char* metric) {
    const auto at = report.find(std::string("\"") + metric + "\"");
    const auto digits = report.find_first_of("-0123456789", report.find("[", at));
    return std::stod(report.substr(digits));
  };
  EXPECT_NEAR(value("rmse"), rmse, 1e-6) << report;
  EXPECT_NEAR(value("mean_error"), 66.0 / 64, 1e-6);
  EXPECT_NEAR(value("largest_error"), 3.0, 1e-6);
  EXPECT_NEAR(value("relative_error"), std::sqrt(72.0 / (32 * 16)), 1e-6);
  EXPECT_NEAR(value("psnr_db"), 20 * std::log10(4 / rmse), 1e-5);
}

TEST(CompareVolumesOperator, GivesTheStructuralSimilarityThatScikitImageGives) {
  // scikit-image 0.26.0: structural_similarity(..., gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
  // data_range=the region's, full=True) of each slice, its map's mean over the region.
  std::vector<float> truth, input;
  for (int z = 0; z < 3; ++z)
    for (int y = 0; y < 26; ++y)
      for (int x = 0; x < 28; ++x) {
        const float t = static_cast<float>(2 + std::sin(0.9 * x + 0.2 * y * y + z) + (x > 13 ? 1 : 0));
        truth.push_back(t);
        input.push_back(static_cast<float>(0.9 * static_cast<double>(t) + 0.4 * std::cos(1.7 * x - 0.6 * y + 2 * z)));
      }
  const auto similarity = [&](double add, const char* unit, const CompareVolumes::Params& params) {
    std::vector<float> a = input, b = truth;
    for (float& v : a) v += static_cast<float>(add);
    for (float& v : b) v += static_cast<float>(add);
    const std::string report = comparison(volume_of(a, 28, 26, 3, unit), volume_of(b, 28, 26, 3, unit), params);
    return std::stod(report.substr(report.find('[', report.find("\"ssim\"")) + 1));
  };
  EXPECT_NEAR(similarity(0, "1/mm", {.radius_mm = 7}), 0.911864626, 1e-6);
  EXPECT_NEAR(similarity(-1000, "HU", {.radius_mm = 7}), 0.911864626, 1e-4) << "counted from air";
  EXPECT_LT(similarity(0, "1/mm", {}), 1.0) << "windows at the border";
  const Volume same = volume_of(truth, 28, 26, 3, "1/mm"), flat = volume_of(std::vector<float>(64, 2), 4, 4, 4, "1/mm");
  EXPECT_THAT(comparison(same, same, {}), HasSubstr("\"ssim\":{\"unit\":\"1\",\"values\":[1]}"));
  EXPECT_THAT(comparison(flat, flat, {}), HasSubstr("\"ssim\":{\"unit\":\"1\",\"values\":[1]}"));
}

TEST(CompareVolumesOperator, SaysWhatIsWrong) {
  const Volume a = volume_of(std::vector<float>(64), 4, 4, 4, "HU"),
               b = volume_of(std::vector<float>(32), 4, 4, 2, "HU"),
               c = volume_of(std::vector<float>(64), 4, 4, 4, "1/mm");
  Volume d = volume_of(std::vector<float>(64), 4, 4, 4, "HU");
  d.set_geometry(Geometry::centred(4, 4, 4, {1, 1, 2}));
  Volume e = volume_of(std::vector<float>(64), 4, 4, 4, "HU");
  Geometry turned = Geometry::centred(4, 4, 4, {1, 1, 1});
  turned.direction[0] = turned.direction[4] = -1;
  e.set_geometry(turned);
  const auto message = [](const Volume& x, const Volume& y, const CompareVolumes::Params& params) {
    return error_of([&] { comparison(x, y, params); });
  };
  EXPECT_THAT(message(a, b, {}), AllOf(HasSubstr("4 x 4 x 4"), HasSubstr("4 x 4 x 2"), HasSubstr("Fix:")));
  EXPECT_THAT(message(a, c, {}), AllOf(HasSubstr("'HU'"), HasSubstr("'1/mm'")));
  EXPECT_THAT(message(a, d, {}), HasSubstr("different spacing"));
  EXPECT_THAT(message(a, e, {}), HasSubstr("different directions"));
  EXPECT_THAT(message(a, a, {.radius_mm = 1, .centre_mm = {99, 0, 0}}), HasSubstr("no voxel lies in the region"));
  EXPECT_THAT(message(a, a, {.centre_mm = {1, 2}}), HasSubstr("centre_mm has 2 numbers"));
}

}  // namespace
}  // namespace isocenter::testing
