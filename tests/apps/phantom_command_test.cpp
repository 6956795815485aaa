// isocenter phantom: what stands in its files, and how it ends.
#include <gmock/gmock.h>

#include <cstring>

#include "command_process.hpp"

namespace isocenter::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PhantomCommand : public CommandTest {
 protected:
  void SetUp() override {
    if (command({"describe", "image_sink"}).exit_code != 0) GTEST_SKIP() << "this build has no io module";
  }
  Finished phantom(const std::string& name, const std::vector<std::string>& settings,
                   const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words = {"phantom", name, "-o", path("p.mha"), "--force"};
    for (const auto& setting : settings) words.insert(words.end(), {"--set", setting});
    words.insert(words.end(), more.begin(), more.end());
    return command(words);
  }
  /// The last `count` elements of a MetaImage with its voxels in the same file.
  template <class T>
  std::vector<T> voxels(const std::string& name, std::size_t count) const {
    const std::string bytes = read(path(name));
    EXPECT_THAT(bytes.substr(0, 600), HasSubstr("ElementDataFile = LOCAL"));
    std::vector<T> v(count);
    if (bytes.size() < count * sizeof(T))
      ADD_FAILURE() << name << " has " << bytes.size() << " bytes";
    else
      std::memcpy(v.data(), bytes.data() + bytes.size() - count * sizeof(T), count * sizeof(T));
    return v;
  }
};

/// The middle of the head: skull and brain, without a ventricle. 2 - 0.98 with the contrasts of Shepp and Logan (IEEE
/// Trans. Nucl. Sci. 21 (1974), table I: skull 2, brain -0.98), 1 - 0.8 with those of Toft (1996, table B.3).
TEST_F(PhantomCommand, EachNameGivesItsOwnPhantom) {
  const std::vector<std::string> grid = {"unit=relative", "nx=33", "ny=33", "nz=33", "spacing_mm=1"};
  const struct {
    const char* name;
    float middle;
  } heads[] = {{"shepp_logan", 1.02F}, {"shepp_logan_modified", 0.2F}};
  for (const auto& head : heads) {
    const Finished f = phantom(head.name, grid);
    ASSERT_EQ(f.exit_code, 0) << f.err;
    EXPECT_NEAR(voxels<float>("p.mha", 33 * 33 * 33)[(16 * 33 + 16) * 33 + 16], head.middle, 1e-5) << head.name;
  }
  ASSERT_EQ(
      phantom("water_cylinder", {"unit=relative", "nx=16", "ny=16", "nz=8", "spacing_mm=1", "radius_mm=4"}).exit_code,
      0);
  double sum = 0;
  for (const float v : voxels<float>("p.mha", 16 * 16 * 8)) sum += static_cast<double>(v);
  EXPECT_EQ(sum, 52 * 8);  // the centres within 4 mm of the axis
}

/// A ray through the middle of a cylinder, across its axis, is as long as its diameter: times 0.02 for each mm.
TEST_F(PhantomCommand, ProjectionsAreLineIntegralsThroughTheNamedPhantom) {
  const Finished f = phantom(
      "water_cylinder",
      {"mu_water_per_mm=0.02", "radius_mm=40", "views=4", "rows=3", "columns=5", "row_step_mm=1", "column_step_mm=1"},
      {"--projections"});
  ASSERT_EQ(f.exit_code, 0) << f.err;
  const auto v = voxels<float>("p.mha", 4 * 3 * 5);
  for (std::size_t view = 0; view < 4; ++view)
    EXPECT_NEAR(v[(view * 3 + 1) * 5 + 2], 80 * 0.02, 1e-5) << "view " << view;
}

TEST_F(PhantomCommand, CtrlCEndsWith130AndLeavesNoFile) {
  Process process({"phantom", "thorax", "-o", path("out/p.mha"), "--labels", path("out/labels.mha"), "--set", "nx=64",
                   "--set", "ny=64", "--set", "nz=64", "--set", "frames=100", "--set", "samples=16"});
  ASSERT_TRUE(process.says("] phantom "));
  process.signal(SIGINT);
  const Finished f = process.wait();
  EXPECT_EQ(f.exit_code, 130);
  EXPECT_THAT(f.err, HasSubstr("isocenter phantom: cancelled; nothing was written."));
  EXPECT_EQ(f.out, "");
  if (fs::exists(path("out"))) {
    EXPECT_THAT(files("out"), ElementsAre());
  }
}

}  // namespace
}  // namespace isocenter::testing
