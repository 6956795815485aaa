// What a run takes from the command line into its nodes, and the figures that it gives back: against the clock, the
// files' sizes and voxels that are counted here.
#include <gmock/gmock.h>

#include <chrono>
#include <cmath>
#include <regex>

#include "command_process.hpp"

namespace isocenter::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RunReport : public CommandTest {
 protected:
  nlohmann::json node(const std::string& name) const {
    const auto report = read_json(path("out/report.json"));
    for (const auto& n : report.at("nodes"))
      if (n.at("name") == name) return n;
    ADD_FAILURE() << "no node " << name;
    return {};
  }
};

TEST_F(RunReport, AValueMayHoldEqualsSigns) {
  const std::string file = write("a.yaml", R"(isocenter: 1
nodes:
  - {name: source, operator: test_fail, parameters: {when: never, must_be_set: "${word}"}}
  - {name: write, operator: test_text_sink, inputs: {input: source}, parameters: {path: "${output}/x.txt"}}
)");
  const Finished f = command(
      {"run", file, "-o", path("out"), "--define", "word=a=b=c", "--set", "write.path=" + path("out/k=v=w.txt")});
  EXPECT_EQ(f.exit_code, 0) << f.err;
  EXPECT_THAT(files("out"), ElementsAre("k=v=w.txt", "report.json"));
  EXPECT_EQ(node("source").at("parameters").at("must_be_set"), "a=b=c");
  EXPECT_EQ(node("write").at("parameters").at("path"), path("out/k=v=w.txt"));
}

TEST_F(RunReport, AListSetsEachOfItsNumbers) {
  // Of 16 x 16 voxels of 2 x 1 mm, centred, 28 have their centre within 4 mm of the axis.
  int voxels = 0;
  for (int j = 0; j < 16; ++j)
    for (int i = 0; i < 16; ++i) voxels += std::hypot((i - 7.5) * 2, j - 7.5) < 4 ? 8 : 0;
  ASSERT_EQ(voxels, 8 * 28);
  for (const char* list : {"2,1,3", "2, 1, 3"}) {
    const Finished f = command(
        {"run", small_pipeline(), "-o", path("out"), "--force", "--set", "phantom.spacing_mm=" + std::string(list)});
    EXPECT_EQ(f.exit_code, 0) << f.err;
    EXPECT_EQ(read(path("out/sum.txt")), "the sum is " + std::to_string(static_cast<double>(voxels)) + "\n");
  }
  const Finished turned =
      command({"run", small_pipeline(), "-o", path("out"), "--force", "--set", "phantom.spacing_mm=2,2,1"});
  EXPECT_EQ(read(path("out/sum.txt")), "the sum is 96.000000\n") << turned.err;  // 12 centres at odd mm
}

TEST_F(RunReport, TheLastOfTwoSettingsHolds) {
  const Finished f =
      command({"run", small_pipeline(), "-o", path("out"), "--set", "phantom.nz=2", "--set", "phantom.nz=3"});
  EXPECT_EQ(f.exit_code, 0) << f.err;
  EXPECT_EQ(read(path("out/sum.txt")), "the sum is 156.000000\n");
}

TEST_F(RunReport, TimesAreThoseOfTheClockAndMemoryIsThatOfTheVoxels) {
  const auto begin = std::chrono::steady_clock::now();
  const Finished f = command({"run", small_pipeline(), "-o", path("out"), "--set", "slow.seconds=0.7", "--set",
                              "phantom.count=3", "--set", "write.path=" + path("out/%d.txt"), "--in-flight", "1"});
  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  EXPECT_EQ(f.exit_code, 0) << f.err;
  const auto report = read_json(path("out/report.json"));
  EXPECT_GE(report.at("wall_s"), 2.1);
  EXPECT_LE(report.at("wall_s"), wall);
  const auto slow = node("slow");
  EXPECT_EQ(slow.at("items"), 3);
  EXPECT_EQ(slow.at("time_s").at("count"), 3);
  EXPECT_GE(slow.at("time_s").at("total"), 2.1);
  EXPECT_LE(slow.at("time_s").at("total"), wall);
  EXPECT_GE(slow.at("time_s").at("max"), 0.7);
  EXPECT_LE(slow.at("time_s").at("max"), wall - 1.4);
  EXPECT_LT(node("phantom").at("time_s").at("total"), slow.at("time_s").at("total"));
  EXPECT_GE(report.at("latency_s").at("max"), 0.7);
  // Two outputs of 16 x 16 x 8 float32, one item in flight.
  EXPECT_EQ(slow.at("memory_bytes").at("outputs"), 2 * 16 * 16 * 8 * 4);
  EXPECT_EQ(slow.at("parameters").at("seconds"), "0.7");
  EXPECT_LT(report.at("started").get<std::string>(), report.at("ended").get<std::string>());
  EXPECT_TRUE(std::regex_search(f.err, std::regex(R"(\n  slow +3 +[2-9]\.\d\d s +16\.0 KiB  cpu\n)"))) << f.err;
}

TEST_F(RunReport, WhatWasWrittenIsListedWithFilesAndBytes) {
  const Finished f = command({"run", small_pipeline(), "-o", path("out"), "--set", "phantom.count=3", "--set",
                              "write.path=" + path("out/sums/%d.txt")});
  EXPECT_EQ(f.exit_code, 0) << f.err;
  EXPECT_EQ(f.out, path("out/report.json") + "\n" + path("out/sums") + "/\n");
  EXPECT_THAT(f.err, HasSubstr("  sums/  (3 files, 66 B)"));
  const auto written = read_json(path("out/report.json")).at("written");
  ASSERT_EQ(written.size(), 1U) << written;
  EXPECT_EQ(written.at(0).at("path"), path("out/sums"));
  EXPECT_EQ(written.at(0).at("files"), 3);
  EXPECT_EQ(written.at(0).at("bytes"), 3 * std::string("the sum is 416.000000\n").size());
}

}  // namespace
}  // namespace isocenter::testing
