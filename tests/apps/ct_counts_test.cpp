// The command on scans in files: examples/pipelines/ct_counts.yaml from counts to Hounsfield units, and what it says of
// scans that are wrong; ct_tooth.yaml on measured counts.
#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "command_process.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// Sixty views of a water cylinder of 45 mm, as long as one likes, by a beam of 50 000 counts that hardens (p + 0.02 p²
/// is the line integral) over a dark of 100.
class CtCounts : public CommandTest {
 protected:
  static constexpr int views = 60, columns = 64, rows = 8;
  static constexpr double step = 3.2, water = 0.02;

  void SetUp() override {
    if (command({"describe", "projections_source"}).exit_code != 0) GTEST_SKIP() << "this build has no io module";
    for (int n = 0; n < views; ++n)
      for (int j = 0; j < rows; ++j)
        for (int i = 0; i < columns; ++i) {
          const double u = (i - 0.5 * (columns - 1)) * step, v = (j - 0.5 * (rows - 1)) * step;
          const double across = std::hypot(u, 1500.0), d = 1000.0 * std::fabs(u) / across;
          const double chord = d < 45 ? 2 * std::sqrt(45 * 45 - d * d) * std::hypot(across, v) / across : 0.0;
          const double p = (-1 + std::sqrt(1 + 4 * 0.02 * water * chord)) / (2 * 0.02);
          counts_.push_back(static_cast<float>(100 + 50000 * std::exp(-p)));
        }
  }
  /// Writes the scan; the geometry has this many views, over this arc.
  void write_scan(int geometry_views = views, double arc_deg = 360) const {
    std::ostringstream text;
    text << "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nOffset = "
         << -0.5 * (columns - 1) * step << ' ' << -0.5 * (rows - 1) * step << " 0\nElementSpacing = " << step << ' '
         << step << " 1\nDimSize = " << columns << ' ' << rows << ' ' << views
         << "\nElementType = MET_FLOAT\nElementDataFile = LOCAL\n";
    text.write(reinterpret_cast<const char*>(counts_.data()),
               static_cast<std::streamsize>(counts_.size() * sizeof(float)));
    write("scan/counts.mha", text.str());
    std::ostringstream table;
    table << "gantry_angle_deg,source_to_isocenter_mm,source_to_detector_mm\n";
    for (int n = 0; n < geometry_views; ++n) table << n * arc_deg / views << ",1000,1500\n";
    write("scan/geometry.csv", table.str());
  }
  Finished run(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words = {"run",      ISOCENTER_SOURCE_DIR "/examples/pipelines/ct_counts.yaml",
                                      "--input",  path("scan"),
                                      "--output", path("out"),
                                      "--quiet"};
    words.insert(words.end(), more.begin(), more.end());
    return command(words);
  }
  /// One line on the error output, with a fix.
  void expect_one_sentence(const Finished& f, const std::vector<std::string>& parts) const {
    EXPECT_NE(f.exit_code, 0);
    EXPECT_EQ(std::count(f.err.begin(), f.err.end(), '\n'), 1) << f.err;
    EXPECT_THAT(f.err, HasSubstr("Fix: "));
    for (const std::string& part : parts) EXPECT_THAT(f.err, HasSubstr(part));
    EXPECT_FALSE(fs::exists(path("out/volume.mha")));
  }
  std::vector<float> counts_;
};

TEST_F(CtCounts, BecomeHounsfieldUnits) {
  write_scan();
  const Finished f = run();
  ASSERT_EQ(f.exit_code, 0) << f.err;
  const std::string file = read(path("out/volume.mha"));
  const std::size_t voxels = 64 * 64 * 8;
  ASSERT_GT(file.size(), voxels * sizeof(float));
  std::vector<float> hu(voxels);
  std::memcpy(hu.data(), file.data() + (file.size() - voxels * sizeof(float)), voxels * sizeof(float));
  const double spacing = step / 1.5;
  double water_sum = 0, ring_sum = 0, air_sum = 0;
  int n_water = 0, n_ring = 0, n_air = 0;
  for (int y = 0; y < 64; ++y)
    for (int x = 0; x < 64; ++x) {
      const double r = std::hypot((x - 31.5) * spacing, (y - 31.5) * spacing);
      const auto value = static_cast<double>(hu[static_cast<std::size_t>((4 * 64 + y) * 64 + x)]);
      if (r < 20) water_sum += value, ++n_water;
      if (r > 30 && r < 40) ring_sum += value, ++n_ring;
      if (r > 52 && r < 62) air_sum += value, ++n_air;
    }
  EXPECT_NEAR(water_sum / n_water, 0, 5) << "the outermost slices, which the cone leaves, are in the calibration";
  EXPECT_NEAR(ring_sum / n_ring, 0, 12) << "no cupping is left";
  EXPECT_NEAR(air_sum / n_air, -1000, 12);
}

TEST_F(CtCounts, OfAnotherNumberThanTheGeometrysViewsAreRefused) {
  write_scan(59);
  expect_one_sentence(run(), {"projections_source 'counts'", "60", "59"});
}

TEST_F(CtCounts, ThatAreNotNumbersAreRefusedWithTheirPlace) {
  counts_[1234] = std::numeric_limits<float>::quiet_NaN();
  write_scan();
  expect_one_sentence(run(), {"projections_source 'counts'", "counts.mha"});
}

TEST_F(CtCounts, OverTooShortAnArcAreRefusedWithWhatIsMissing) {
  write_scan(views, 150);
  expect_one_sentence(run(), {"fdk_reconstruction 'reconstruct'", "deg", "view 59"});
}

TEST_F(CtCounts, ThatDoNotFitTheBudgetAreRefusedBeforeTheyAreRead) {
  write_scan();
  expect_one_sentence(run({"--memory", "100KiB"}), {"budget"});
}

TEST_F(CtCounts, WithoutAFileAreNamed) {
  write_scan();
  fs::remove(path("scan/geometry.csv"));
  expect_one_sentence(run(), {"projections_source 'counts'", "geometry.csv"});
}

/// The floats behind a NRRD's empty line.
std::vector<float> nrrd(const std::string& file) {
  const std::size_t begin = file.find("\n\n") + 2;
  std::vector<float> values((file.size() - begin) / sizeof(float));
  std::memcpy(values.data(), file.data() + begin, values.size() * sizeof(float));
  return values;
}

class CtTooth : public CommandTest {};

TEST_F(CtTooth, OfASynchrotronHasItsAxisAndTheMassThatTheCountsHave) {
  if (command({"describe", "projections_source"}).exit_code != 0) GTEST_SKIP() << "this build has no io module";
  const std::string tooth = ISOCENTER_SOURCE_DIR "/phantoms/ct_tooth_tomopy";
  const Finished f = command({"run", ISOCENTER_SOURCE_DIR "/examples/pipelines/ct_tooth.yaml", "--input", tooth,
                              "--output", path("out"), "--quiet"});
  ASSERT_EQ(f.exit_code, 0) << f.err;
  const nlohmann::json report = read_json(path("out/report.json"));
  for (const nlohmann::json& node : report["nodes"]) {
    EXPECT_TRUE(node["warnings"].empty()) << node["warnings"];
    // As of NumPy's filtered back projections about many columns (docs/recon/correction.md).
    if (node["name"] != "centred") continue;
    EXPECT_NEAR(node["metrics"]["centre_column"]["values"][0].get<double>(), 295.75, 0.25);
  }
  // The integral over a slice is that over every view's line integrals.
  const std::vector<float> counts = nrrd(read(tooth + "/counts.nrrd")), dark = nrrd(read(tooth + "/dark.nrrd")),
                           flat = nrrd(read(tooth + "/flat.nrrd"));
  constexpr std::size_t columns = 640, views = 181, frames = 10;
  ASSERT_EQ(counts.size(), views * columns);
  double measured = 0.0;
  for (std::size_t i = 0; i < columns; ++i) {
    double low = 0.0, high = 0.0;
    for (std::size_t n = 0; n < frames; ++n)
      low += dark[n * columns + i] / frames, high += flat[n * columns + i] / frames;
    for (std::size_t n = 0; n < views; ++n)
      measured -= std::log((counts[n * columns + i] - low) / (high - low)) / views;
  }
  const std::string file = read(path("out/slice.mha"));
  std::vector<float> slice(std::size_t{512} * 512);
  ASSERT_GT(file.size(), slice.size() * sizeof(float));
  std::memcpy(slice.data(), file.data() + (file.size() - slice.size() * sizeof(float)), slice.size() * sizeof(float));
  EXPECT_NEAR(std::accumulate(slice.begin(), slice.end(), 0.0), measured, 0.005 * measured);
  EXPECT_GT(fs::file_size(path("out/tooth.png")), 100'000U);
}

}  // namespace
}  // namespace isocenter::testing
