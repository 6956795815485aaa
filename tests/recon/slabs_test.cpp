// A volume in slabs: the same as the whole to rounding, whoever takes it; as many slabs as the budget asks for; and
// what is said when not even one fits.
#include <gmock/gmock.h>

#include <isocenter/phantom/phantom_projections.hpp>
#include <isocenter/phantom/phantom_volume.hpp>
#include <isocenter/recon/compare_volumes.hpp>
#include <isocenter/recon/fdk_reconstruction.hpp>
#include <isocenter/recon/phase_sort.hpp>
#include <limits>

#include "device_test.hpp"
#include "recon/slab_cut.hpp"
#include "slab_taker.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

ISOCENTER_DEVICE_SUITE(FdkInSlabs);

PhantomProjections::Params scan_of(std::int64_t views = 60) {
  return {.views = views, .columns = 40, .rows = 33, .column_step_mm = 9, .row_step_mm = 9, .arc_deg = 250};
}

struct Result {
  std::vector<float> voxels;
  Geometry geometry;
  std::string report;
};

Result reconstruct(FdkReconstruction::Params params, const SessionOptions& options, bool phases = false,
                   const PhantomProjections::Params& scan = scan_of()) {
  params.unit = AttenuationUnit::per_mm;
  Pipeline pipeline(context());
  const auto raw = pipeline.add<PhantomProjections>("raw", scan);
  const auto fdk = pipeline.add<FdkReconstruction>("fdk", params);
  if (phases) {
    const auto sorted = pipeline.add<PhaseSort>("sort", {.phases = 2, .source = PhaseSource::period, .period_s = 0.7});
    pipeline.connect(raw.output, sorted.input);
    pipeline.connect(sorted.output, fdk.input);
  } else {
    pipeline.connect(raw.output, fdk.input);
  }
  pipeline.add_output("out", fdk.output);
  Session session = pipeline.prepare(options);
  session.start();
  const auto item = session.pull("out");
  if (!item) session.wait();
  const Payload on_cpu = context().copy_to(*item, "cpu");
  const auto values = on_cpu.tensor("voxels").span<const float>();
  Result r{{values.begin(), values.end()}, on_cpu.geometry(), ""};
  EXPECT_TRUE(on_cpu.numbers(slabs_attribute).empty());
  EXPECT_FALSE(session.pull("out"));
  session.wait();
  r.report = session.report();
  return r;
}

double relative_difference(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double difference = 0.0, norm = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - b[i], 2);
    norm += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(difference / norm);
}

TEST_P(FdkInSlabs, GiveTheWholeVolumeToRoundingForAnyNumber) {
  const Result whole = reconstruct({.slabs = 1}, options());
  for (const std::int64_t slabs : {2, 3, 5, 32, 33}) {
    const Result cut = reconstruct({.slabs = slabs}, options());
    EXPECT_LT(relative_difference(cut.voxels, whole.voxels), 2e-6) << slabs;
    for (int k = 0; k < 3; ++k) EXPECT_EQ(cut.geometry.origin_mm[k], whole.geometry.origin_mm[k]) << slabs;
    EXPECT_THAT(cut.report, AllOf(HasSubstr("fdk.slabs"), HasSubstr("of 33 slices, from slice 0 on, each from")));
  }
}

/// A detector around another axis, or one that is resampled: rows are cut there too.
TEST_P(FdkInSlabs, GiveTheWholeVolumeOfAMisalignedAndOfADisplacedDetector) {
  for (PhantomProjections::Params scan : {scan_of(), scan_of(120)}) {
    if (scan.views == 120)
      scan.arc_deg = 360, scan.detector_offset_u_mm = 90;
    else
      scan.misalignment_mm = 2, scan.misalignment_deg = 0.4;
    const Result whole = reconstruct({.slabs = 1}, options(), false, scan);
    for (const std::int64_t slabs : {3, 11}) {
      const Result cut = reconstruct({.slabs = slabs}, options(), false, scan);
      EXPECT_LT(relative_difference(cut.voxels, whole.voxels), 2e-6) << slabs;
    }
  }
}

TEST_P(FdkInSlabs, FilterAndHoldOnlyTheRowsThatTheyProjectOnto) {
  PhantomProjections::Params scan = scan_of();
  scan.rows = 120, scan.row_step_mm = 3;
  const FdkReconstruction::Params params{.nx = 40, .ny = 40, .nz = 40, .spacing_mm = {6}, .slabs = 8};
  const std::string report = reconstruct(params, options(), false, scan).report;
  // Slabs of 30 mm, magnified by 1500/1170 to 1500/830, are 69 to 86 mm high on the detector, which has 360 mm.
  const double rows = std::stod(report.substr(report.find("each from ") + 10));
  EXPECT_GT(rows, 0.2 * 120);
  EXPECT_LT(rows, 0.3 * 120);
}

TEST_P(FdkInSlabs, NameTheReadingOfTheScanThatIsNoNumber) {
  Pipeline source(context());
  source.add_output("scan", source.add<PhantomProjections>("raw", scan_of()).output);
  Session session = source.prepare();
  session.start();
  Projections scan(*session.pull("scan"));
  scan.views().span<float>()[(7 * 33 + 30) * 40 + 5] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(error_of([&] {
                isocenter::apply<FdkReconstruction>(context(), {.unit = AttenuationUnit::per_mm, .slabs = 5}, scan,
                                                    options());
              }),
              AllOf(HasSubstr("view 7"), HasSubstr("row 30, column 5")));
}

TEST_P(FdkInSlabs, GiveTheWholeVolumeOfEachMotionPhase) {
  const FdkReconstruction::Params params{.largest_gap_deg = 180, .slabs = 1};
  FdkReconstruction::Params in_slabs = params;
  in_slabs.slabs = 4;
  const Result whole = reconstruct(params, options(), true), cut = reconstruct(in_slabs, options(), true);
  EXPECT_LT(relative_difference(cut.voxels, whole.voxels), 2e-6);
}

TEST_P(FdkInSlabs, MeetTheTruthWholeInFrontOfAnOperatorThatKnowsNoSlabs) {
  const auto rmse = [&](std::int64_t slabs) {
    Pipeline pipeline(context());
    const auto raw = pipeline.add<PhantomProjections>("raw", scan_of(120));
    const auto fdk = pipeline.add<FdkReconstruction>("fdk", {.slabs = slabs});
    const auto truth = pipeline.add<PhantomVolume>("truth", {.nx = 40, .ny = 40, .nz = 33, .spacing_mm = {6}});
    const auto compare = pipeline.add<CompareVolumes>("error", {.radius_mm = 90});
    pipeline.connect(raw.output, fdk.input);
    pipeline.connect(fdk.output, compare.input);
    pipeline.connect(truth.output, compare.truth);
    Session session = pipeline.prepare(options());
    session.start();
    session.wait();
    const std::string report = session.report();
    return std::stod(report.substr(report.find("\"values\":[", report.find("\"rmse\"")) + 10));
  };
  const double whole = rmse(1);
  EXPECT_GT(whole, 0.0);
  EXPECT_NEAR(rmse(4), whole, 1e-5 * whole);
}

std::string run_into_taker(std::uint64_t memory_bytes) {
  SlabTakerOperator::join(context());
  Pipeline pipeline(context());
  const auto raw = pipeline.add<PhantomProjections>("raw", scan_of(12));
  const auto fdk = pipeline.add<FdkReconstruction>(
      "fdk", {.nx = 128, .ny = 128, .nz = 64, .spacing_mm = {2}, .unit = AttenuationUnit::per_mm});
  const auto taker = pipeline.add<SlabTaker>("taker");
  pipeline.connect(raw.output, fdk.input);
  pipeline.connect(fdk.output, taker.input);
  SessionOptions options;
  options.memory_bytes = memory_bytes;
  Session session = pipeline.prepare(options);
  session.start();
  session.wait();
  return session.report();
}

TEST(FdkInSlabsOnTheCpu, AreAsManyAsTheBudgetAsksForWhenTheTakerTakesThem) {
  run_into_taker(0);
  EXPECT_EQ(taken.height, std::vector<std::int64_t>{64}) << "without a budget it comes whole";
  EXPECT_EQ(taken.slabs.whole, 0);
  // The volume alone has 4.2 MB, and the projections 0.06 MB.
  run_into_taker(3500000);
  ASSERT_GT(taken.height.size(), 1U);
  EXPECT_EQ(taken.slabs.whole, 64);
  ASSERT_EQ(taken.slabs.first.size(), taken.height.size());
  std::int64_t covered = 0;
  for (std::size_t i = 0; i < taken.height.size(); ++i) {
    EXPECT_LE(taken.slabs.first[i], covered);
    covered = taken.slabs.first[i] + taken.height[i];
    EXPECT_NEAR(taken.z_mm[i], (-31.5 + static_cast<double>(taken.slabs.first[i])) * 2.0, 1e-9);
  }
  EXPECT_EQ(covered, 64);
}

TEST(FdkInSlabsOnTheCpu, ABudgetTooSmallForOneSlabIsRefusedWithTheOneThatWouldDo) {
  const std::string message = error_of([] { run_into_taker(300000); });
  EXPECT_THAT(message, AllOf(HasSubstr("fdk_reconstruction 'fdk'"), HasSubstr("even a slab of 128 x 128 x 1 voxels"),
                             HasSubstr("Fix: raise the budget to")));
  const std::uint64_t least = budget_asked_for(message);
  EXPECT_THAT(run_into_taker(least + least / 1000), HasSubstr("\"status\":\"completed\""));
  EXPECT_THAT(error_of([&] { run_into_taker(least - least / 100); }), HasSubstr("slab"));
}

TEST(FdkInSlabsOnTheCpu, BlocksOfAScanAreRefused) {
  Pipeline pipeline(context());
  PhantomProjections::Params scan = scan_of();
  scan.blocks = 5;
  const auto raw = pipeline.add<PhantomProjections>("raw", scan);
  const auto fdk = pipeline.add<FdkReconstruction>("fdk", {.unit = AttenuationUnit::per_mm, .slabs = 2});
  pipeline.connect(raw.output, fdk.input);
  pipeline.add_output("out", fdk.output);
  EXPECT_THAT(error_of([&] { pipeline.prepare(); }), AllOf(HasSubstr("slabs = 2"), HasSubstr("5 blocks")));
}

TEST(SlabCut, CoversEverySliceWithSlabsOfOneHeight) {
  for (std::int64_t nz = 1; nz < 40; ++nz)
    for (std::int64_t ranks = 1; ranks <= 5; ++ranks)
      for (std::int64_t parts = 1; parts * ranks <= nz; ++parts) {
        std::int64_t covered = 0;
        for (std::int64_t rank = 0; rank < ranks; ++rank) {
          const detail::SlabCut cut = detail::cut_into_slabs(nz, rank, ranks, parts);
          for (const std::int64_t first : cut.slabs.first) {
            ASSERT_LE(first, covered) << nz << " " << ranks << " " << parts;
            covered = first + cut.height;
          }
        }
        ASSERT_EQ(covered, nz) << ranks << " " << parts;
      }
}

}  // namespace
}  // namespace isocenter::testing
