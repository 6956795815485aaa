// A scan that comes in blocks: the same volume as from the whole, ready with the last block; what happens when a block
// is bad, lost, or the last; and passes that keep within a memory budget.
#include <gmock/gmock.h>

#include <isocenter/phantom/phantom_projections.hpp>
#include <isocenter/phantom/phantom_volume.hpp>
#include <isocenter/recon/acquisition.hpp>
#include <isocenter/recon/compare_volumes.hpp>
#include <isocenter/recon/fdk_reconstruction.hpp>

#include "device_test.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

ISOCENTER_DEVICE_SUITE(FdkStreaming);

PhantomProjections::Params scan_in(std::int64_t blocks, std::int64_t count = 1) {
  return {.views = 130,
          .columns = 40,
          .rows = 32,
          .column_step_mm = 9,
          .row_step_mm = 9,
          .arc_deg = 250,
          .photons = 1e5,
          .count = count,
          .blocks = blocks};
}

double relative_difference(std::span<const float> a, std::span<const float> b) {
  double difference = 0.0, norm = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - b[i], 2);
    norm += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(difference / norm);
}

/// All volumes of `count` scans.
std::vector<Volume> volumes_of(std::int64_t blocks, std::int64_t count, const SessionOptions& options,
                               std::string* report = nullptr) {
  Pipeline pipeline(context());
  const auto raw = pipeline.add<PhantomProjections>("raw", scan_in(blocks, count));
  const auto fdk = pipeline.add<FdkReconstruction>("fdk", {.unit = AttenuationUnit::per_mm});
  pipeline.connect(raw.output, fdk.input);
  pipeline.add_output("out", fdk.output);
  Session session = pipeline.prepare(options);
  session.start();
  std::vector<Volume> volumes;
  while (const auto item = session.pull("out")) {
    EXPECT_EQ(item->sequence(), static_cast<std::int64_t>(volumes.size()));
    const Payload on_cpu = context().copy_to(*item, "cpu");
    const auto values = Volume(on_cpu).values();
    volumes.push_back(Volume::own({values.begin(), values.end()}, 40, 40, 32, on_cpu.geometry(), "1/mm"));
  }
  session.wait();
  if (report != nullptr) *report = session.report();
  return volumes;
}

TEST_P(FdkStreaming, GivesTheVolumeOfTheWholeScanWhateverTheBlocks) {
  const std::vector<Volume> whole = volumes_of(1, 2, options());
  ASSERT_EQ(whole.size(), 2U);
  for (const std::int64_t blocks : {2, 5, 13, 130}) {
    const std::vector<Volume> streamed = volumes_of(blocks, 2, options());
    ASSERT_EQ(streamed.size(), 2U) << blocks;
    for (std::size_t i = 0; i < 2; ++i)
      EXPECT_LT(relative_difference(streamed[i].values(), whole[i].values()), 1e-6) << blocks << " blocks, scan " << i;
  }
}

TEST_P(FdkStreaming, MeetsTheTruthOfItsScanInAJoin) {
  Pipeline pipeline(context());
  const auto raw = pipeline.add<PhantomProjections>("raw", scan_in(10));
  const auto fdk = pipeline.add<FdkReconstruction>("fdk");
  const auto truth = pipeline.add<PhantomVolume>("truth", {.nx = 40, .ny = 40, .nz = 32, .spacing_mm = {6}});
  const auto compare = pipeline.add<CompareVolumes>("error", {.radius_mm = 90});
  pipeline.connect(raw.output, fdk.input);
  pipeline.connect(fdk.output, compare.input);
  pipeline.connect(truth.output, compare.truth);
  Session session = pipeline.prepare(options());
  session.start();
  session.wait();
  EXPECT_THAT(session.report(), HasSubstr("\"rmse\""));
}

/// Blocks of a scan in memory, pushed by hand.
struct Blocks {
  CircularOrbit orbit{.views = 60, .columns = 24, .rows = 16, .column_step_mm = 15, .row_step_mm = 15};
  std::int64_t blocks = 6;

  Projections block(float value) const {
    Projections p = Projections::describe(orbit.views / blocks, orbit.rows, orbit.columns);
    set_views(p, orbit.build());
    set_view_blocks(p, blocks);
    context().allocate(p);
    for (float& v : p.views().span<float>()) v = value;
    return p;
  }
  Session prepare(const SessionOptions& options) const {
    Pipeline pipeline(context());
    const auto in = pipeline.add_input("in", block(0.0F));
    const auto fdk = pipeline.add<FdkReconstruction>("fdk", {.unit = AttenuationUnit::per_mm});
    pipeline.connect(in, fdk.input);
    pipeline.add_output("out", fdk.output);
    return pipeline.prepare(options);
  }
};

TEST(FdkStreamingOnTheCpu, ABadBlockSpoilsItsScanAndNotTheNext) {
  const Blocks scan;
  Session session = scan.prepare({});
  session.start();
  Projections bad = scan.block(1.0F);
  bad.views().span<float>()[(4 * 16 + 3) * 24 + 7] = std::nanf("");
  for (int i = 0; i < 12; ++i) session.push("in", i == 2 ? bad : scan.block(1.0F));
  session.end_input("in");
  const auto volume = session.pull("out");
  ASSERT_TRUE(volume);
  EXPECT_EQ(volume->sequence(), 1) << "the second scan";
  EXPECT_FALSE(session.pull("out"));
  EXPECT_THAT(error_of([&] { session.wait(); }), AllOf(HasSubstr("view 24 has"), HasSubstr("at row 3, column 7"),
                                                       HasSubstr("Fix:"), Not(HasSubstr("stream ended"))));
}

TEST_P(FdkStreaming, SaysThatTheLastBlocksDidNotCome) {
  const Blocks scan;
  Session session = scan.prepare({});
  session.start();
  for (int i = 0; i < 4; ++i) session.push("in", scan.block(1.0F));
  session.end_input("in");
  EXPECT_FALSE(session.pull("out"));
  EXPECT_THAT(error_of([&] { session.wait(); }), HasSubstr("ended after block 3 of a scan of 6 blocks"));
}

TEST(FdkStreamingMessages, NameWhatDoesNotFit) {
  Blocks scan;
  Projections p = scan.block(0.0F);
  set_view_blocks(p, 7);
  const auto refusal = [](const Projections& projections) {
    return error_of([&] { apply<FdkReconstruction>(context(), {.unit = AttenuationUnit::per_mm}, projections); });
  };
  EXPECT_THAT(refusal(p), AllOf(HasSubstr("7 blocks of 10 projections"), HasSubstr("60 views")));
  p = scan.block(0.0F);
  const double phases = 4;
  p.set_numbers("acquisition.phases", {&phases, 1});
  EXPECT_THAT(refusal(p), AllOf(HasSubstr("6 blocks"), HasSubstr("4 motion phases")));
  Pipeline pipeline(context());
  const auto raw = pipeline.add<PhantomProjections>("raw", scan_in(7));
  pipeline.add_output("out", raw.output);
  EXPECT_THAT(error_of([&] { pipeline.prepare(); }),
              AllOf(HasSubstr("blocks = 7 does not divide the 130 views"), HasSubstr("Fix:")));
}

TEST_P(FdkStreaming, TakesFewerViewsAPassWhereTheBudgetIsSmall) {
  std::string plenty, scarce;
  SessionOptions small = options();
  const std::vector<Volume> whole = volumes_of(1, 1, options(), &plenty);
  // The projections take 0.67 MB, the volume 0.2 MB.
  small.memory_bytes = 2400000;
  const std::vector<Volume> tight = volumes_of(1, 1, small, &scarce);
  EXPECT_LT(relative_difference(tight[0].values(), whole[0].values()), 1e-6);
  const auto views_per_pass = [](const std::string& report) {
    const auto at = report.find("fdk.views_per_pass");
    return std::stoi(report.substr(report.find_first_of("0123456789", at)));
  };
  EXPECT_LT(views_per_pass(scarce), views_per_pass(plenty)) << scarce;

  small.memory_bytes = 950000;
  const std::string refused = error_of([&] { volumes_of(1, 1, small); });
  EXPECT_THAT(refused,
              AllOf(HasSubstr("fdk_reconstruction 'fdk'"), HasSubstr("a volume of 40 x 40 x 32 voxels needs 0.2048 MB"),
                    HasSubstr("of the budget"), HasSubstr("Fix: raise the budget to ")));
  const double least_mb = std::stod(refused.substr(refused.find("raise the budget to ") + 20));
  small.memory_bytes = static_cast<std::uint64_t>(1.001e6 * least_mb);  // as many digits are told
  EXPECT_LT(relative_difference(volumes_of(1, 1, small)[0].values(), whole[0].values()), 1e-6);
  small.memory_bytes = static_cast<std::uint64_t>(0.99e6 * least_mb);
  EXPECT_THAT(error_of([&] { volumes_of(1, 1, small); }), HasSubstr("raise the budget to "));
}

}  // namespace
}  // namespace isocenter::testing
