// examples/pipelines/breathing_signal.yaml and motion_compensated.yaml, one after the other as their first lines say,
// on a coarse scan.
#include <gmock/gmock.h>

#include "command_process.hpp"

namespace isocenter::testing {
namespace {

using ::testing::HasSubstr;

class MotionPipeline : public CommandTest {
 protected:
  void SetUp() override {
    if (command({"describe", "png_sink"}).exit_code != 0) GTEST_SKIP() << "this build has no io module";
  }
  /// Half as many views, elements and voxels along each axis.
  Finished run(const std::string& name, std::vector<std::string> words) const {
    words.insert(words.begin(), {"run", ISOCENTER_SOURCE_DIR "/examples/pipelines/" + name + ".yaml", "--quiet"});
    for (const char* set : {"scan.views=300", "scan.seconds=60", "scan.columns=96", "scan.rows=64",
                            "scan.column_step_mm=7.8", "scan.row_step_mm=7.8"})
      words.insert(words.end(), {"--set", set});
    if (name == "motion_compensated")
      for (const char* node : {"still", "blurred", "truth"})
        for (const char* set : {".nx=72", ".ny=52", ".nz=56", ".spacing_mm=5"})
          words.insert(words.end(), {"--set", std::string(node) + set});
    return command(words);
  }
  double metric(const std::string& folder, const std::string& node, const std::string& name) const {
    const auto report = nlohmann::json::parse(read(path(folder + "/report.json")));
    for (const auto& n : report["nodes"])
      if (n["name"] == node) return n["metrics"][name]["values"][0];
    throw std::runtime_error("the report has no node " + node);
  }
};

TEST_F(MotionPipeline, ShowsTheLesionAtRestWithTheSignalFoundInTheProjections) {
  const Finished signal = run("breathing_signal", {"--output", path("breath")});
  ASSERT_EQ(signal.exit_code, 0) << signal.err;
  EXPECT_NEAR(metric("breath", "shroud", "period_s"), 4.0, 0.1);
  const Finished still = run("motion_compensated", {"--input", path("breath"), "--output", path("still")});
  ASSERT_EQ(still.exit_code, 0) << still.err;
  // At this scan's own size 80 and 112 HU.
  EXPECT_LT(metric("still", "error_still", "rmse"), 0.85 * metric("still", "error_blurred", "rmse"));
  EXPECT_TRUE(fs::exists(path("still/still.png")));
  EXPECT_TRUE(fs::exists(path("still/blurred.png")));
}

TEST_F(MotionPipeline, WithoutTheFirstRunsSignalNamesTheFile) {
  fs::create_directories(path("breath"));
  const Finished still = run("motion_compensated", {"--input", path("breath"), "--output", path("still")});
  EXPECT_NE(still.exit_code, 0);
  EXPECT_THAT(still.err, HasSubstr("phase_sort 'phases'"));
  EXPECT_THAT(still.err, HasSubstr("breathing.txt"));
  EXPECT_THAT(still.err, HasSubstr("Fix: "));
}

}  // namespace
}  // namespace isocenter::testing
