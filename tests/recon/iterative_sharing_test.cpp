// What all iterative reconstructions share: warm start, mask, stopping, cancellation, threads, units, bad input.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <isocenter/recon/cgls_reconstruction.hpp>
#include <isocenter/recon/os_sart_reconstruction.hpp>
#include <isocenter/recon/osem_reconstruction.hpp>
#include <isocenter/recon/tv_reconstruction.hpp>
#include <limits>
#include <thread>

#include "iterative_test_data.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

ISOCENTER_DEVICE_SUITE(IterativeSharing);

/// A prior for PICCS: half the truth.
OptionalInputs half_the_truth(const Trial& t) {
  std::vector<float> prior = truth_of(t);
  for (float& v : prior) v *= 0.5F;
  return {{"prior", volume_like(t, prior)}};
}

const Trial shared{.n = 24, .voxel_mm = 8, .views = 20};

template <class Op>
void check_start_mask_and_bad_input(const SessionOptions& options, typename Op::Params params,
                                    const OptionalInputs& always = {}) {
  const Trial t = shared;
  const Projections scan = scan_head(t);
  typename Op::Params p = on_grid<typename Op::Params>(t, params);
  p.iterations = 3;
  const auto with = [&](OptionalInputs inputs) {
    inputs.insert(inputs.end(), always.begin(), always.end());
    return inputs;
  };
  // A start at the image of 3 iterations goes on from it.
  const Result three = reconstruct_by<Op>(options, scan, p, always);
  const Result more = reconstruct_by<Op>(options, scan, p, with({{"start", volume_like(t, three.voxels)}}));
  if (options.device == "cpu") {
    EXPECT_LT(more.residual[0], three.residual[2]) << Op::name;
    EXPECT_EQ(three.iterations, 3);
    p.iterations = 500;
    p.stop_at_change = 0.02;
    const Result stopped = reconstruct_by<Op>(options, scan, p, always);
    EXPECT_LT(stopped.iterations, 400) << Op::name;
    EXPECT_GT(stopped.iterations, 3) << Op::name;
    p.iterations = 3;
    p.stop_at_change = 0;
  }
  // Beyond the mask nothing changes: it stays 0, as labels and as a volume.
  std::vector<float> half(three.voxels.size());
  Segmentation labels = Segmentation::describe(t.n, t.n, 1, volume_like(t, half).geometry());
  context().allocate(labels);
  for (std::size_t i = 0; i < half.size(); ++i)
    labels.labels().span<std::uint8_t>()[i] = static_cast<std::uint8_t>(half[i] = i % 24 < 12 ? 1.0F : 0.0F);
  const Result masked = reconstruct_by<Op>(options, scan, p, with({{"mask", volume_like(t, half)}}));
  const Result by_labels = reconstruct_by<Op>(options, scan, p, with({{"mask", labels}}));
  EXPECT_EQ(masked.voxels, by_labels.voxels) << Op::name;
  double inside = 0;
  for (std::size_t i = 0; i < half.size(); ++i) {
    if (half[i] == 0.0F) {
      ASSERT_EQ(masked.voxels[i], 0.0F) << Op::name;
    }
    inside += static_cast<double>(std::fabs(masked.voxels[i]));
  }
  EXPECT_GT(inside, 0.1) << Op::name;
  EXPECT_EQ(reconstruct_by<Op>(options, scan, p, always).voxels, three.voxels) << "the same again";
  // Bad input.
  const auto message = [&](const OptionalInputs& inputs, const Projections& from) {
    return error_of([&] { reconstruct_by<Op>(options, from, p, with(inputs)); });
  };
  EXPECT_THAT(message({{"mask", volume_like(t, std::vector<float>(half.size()))}}, scan),
              HasSubstr("input 'mask' is 0 everywhere"));
  const Trial other{.n = 23, .voxel_mm = 8};
  EXPECT_THAT(message({{"start", volume_like(other, std::vector<float>(23 * 23))}}, scan),
              AllOf(HasSubstr("'start'"), HasSubstr("23 x 23 x 1"), HasSubstr("24 x 24 x 1"), HasSubstr("Fix:")));
  EXPECT_THAT(message({{"start", volume_like(t, half, "HU")}}, scan), AllOf(HasSubstr("'HU'"), HasSubstr("'1/mm'")));
  if (options.device == "cpu") {
    const Projections broken = scan_head(t);
    broken.views().span<float>()[36 * 3 + 7] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_THAT(message({}, broken),
                AllOf(HasSubstr("view 3, row 0, column 7"), HasSubstr(Op::name), HasSubstr("Fix:")));
  }
}

TEST_P(IterativeSharing, SirtTakesStartAndMaskAndRefusesBadInput) {
  check_start_mask_and_bad_input<OsSartReconstruction>(options(), {});
}
TEST_P(IterativeSharing, SartTakesStartAndMaskAndRefusesBadInput) {
  check_start_mask_and_bad_input<OsSartReconstruction>(options(), {.subsets = shared.views, .relaxation = 0.3});
}
TEST_P(IterativeSharing, OsSartTakesStartAndMaskAndRefusesBadInput) {
  check_start_mask_and_bad_input<OsSartReconstruction>(options(), {.subsets = 4, .relaxation = 0.5});
}
TEST_P(IterativeSharing, OsSartWithVoxelsDrivenTakesStartAndMaskAndRefusesBadInput) {
  check_start_mask_and_bad_input<OsSartReconstruction>(
      options(), {.subsets = 4, .relaxation = 0.5, .back_projector = BackProjector::voxel_driven});
}
TEST_P(IterativeSharing, OstrTakesStartAndMaskAndRefusesBadInput) {
  check_start_mask_and_bad_input<OsemReconstruction>(options(), {.subsets = 2});
}
TEST_P(IterativeSharing, CglsTakesStartAndMaskAndRefusesBadInput) {
  check_start_mask_and_bad_input<CglsReconstruction>(options(), {});
}
TEST_P(IterativeSharing, TvTakesStartAndMaskAndRefusesBadInput) {
  check_start_mask_and_bad_input<TvReconstruction>(options(), {});
}
TEST_P(IterativeSharing, PiccsTakesStartAndMaskAndRefusesBadInput) {
  check_start_mask_and_bad_input<TvReconstruction>(options(), {}, half_the_truth(shared));
}

TEST(IterativeReconstructions, OfEmissionRefuseNegativeCounts) {
  const Projections scan = scan_head(shared);
  scan.views().span<float>()[36 * 5 + 11] = -2.5F;
  const auto reconstruct = [&](EmData data) {
    return reconstruct_by<OsemReconstruction>(
        {.device = "cpu"}, scan, on_grid<OsemReconstruction::Params>(shared, {.data = data, .iterations = 2}));
  };
  EXPECT_THAT(error_of([&] { reconstruct(EmData::emission); }),
              AllOf(HasSubstr("-2.5"), HasSubstr("view 5, row 0, column 11"), HasSubstr("osem_reconstruction"),
                    HasSubstr("numbers from 0 on"), HasSubstr("Fix:")));
  // Noise makes line integrals negative.
  EXPECT_EQ(reconstruct(EmData::transmission).iterations, 2);
}

/// What an operator gives in a context of its own with this many threads.
template <class Op>
std::vector<float> with_threads(int threads, const Projections& scan, const typename Op::Params& params,
                                const std::vector<float>& prior = {}) {
  isocenter_context_options o{};
  o.struct_size = sizeof o;
  o.flags = ISOCENTER_CONTEXT_NO_MODULES;
  o.thread_count = threads;
  const Context own(o);
  Projections in(scan.description());
  own.allocate(in);
  const auto from = scan.views().span<float>();
  std::copy(from.begin(), from.end(), in.views().span<float>().begin());
  Pipeline pipeline(own);
  pipeline.add_input("scan", in);
  pipeline.add<Op>("recon", params);
  pipeline.connect("scan", "output", "recon", "input");
  Volume given;
  if (!prior.empty()) {
    const int n = static_cast<int>(params.nx);
    const double voxel_mm = params.spacing_mm[0];
    given = Volume::own(prior, n, n, 1, Geometry::centred(n, n, 1, {voxel_mm, voxel_mm, voxel_mm}), "1/mm");
    pipeline.add_input("prior", given);
    pipeline.connect("prior", "output", "recon", "prior");
  }
  pipeline.add_output("out", "recon", "output");
  Session session = pipeline.prepare();
  session.start();
  session.push("scan", in);
  if (!prior.empty()) session.push("prior", given);
  const auto item = session.pull("out");
  if (!item) session.wait();
  const Volume v(*item);
  return {v.values().begin(), v.values().end()};
}

TEST(IterativeReconstructions, GiveTheSameBitsForEveryNumberOfThreads) {
  const Trial t{.n = 40, .voxel_mm = 5, .views = 20, .photons = 1e4};
  const Projections scan = scan_head(t);
  const auto same = [&]<class Op>(Op, typename Op::Params params, const std::vector<float>& prior = {}) {
    params = on_grid(t, params);
    params.iterations = 4;
    EXPECT_EQ(with_threads<Op>(1, scan, params, prior), with_threads<Op>(2, scan, params, prior)) << Op::name;
  };
  same(OsSartReconstruction{}, {});
  same(OsSartReconstruction{}, {.subsets = 5});
  same(OsSartReconstruction{}, {.subsets = 20});
  same(OsSartReconstruction{}, {.subsets = 5, .back_projector = BackProjector::voxel_driven});
  same(OsemReconstruction{}, {.subsets = 3});
  same(CglsReconstruction{}, {});
  same(TvReconstruction{}, {});
  same(TvReconstruction{}, {}, truth_of(t));
}

TEST_P(IterativeSharing, PositivityHoldsWhereItIsAskedFor) {
  const Trial t{.n = 24, .voxel_mm = 8, .views = 20, .photons = 500};
  const Projections scan = scan_head(t);
  const auto least = [&](bool positive) {
    const auto r = reconstruct_by<OsSartReconstruction>(
        options(), scan, on_grid<OsSartReconstruction::Params>(t, {.iterations = 10, .positivity = positive}));
    return *std::min_element(r.voxels.begin(), r.voxels.end());
  };
  EXPECT_GE(least(true), 0.0F);
  EXPECT_LT(least(false), 0.0F);
}

TEST_P(IterativeSharing, HounsfieldUnitsAreTheSameImage) {
  const Trial t{.n = 24, .voxel_mm = 8, .views = 20};
  const Projections scan = scan_head(t);
  auto p = on_grid<OsSartReconstruction::Params>(t, {.iterations = 5});
  const Result mu = reconstruct_by<OsSartReconstruction>(options(), scan, p);
  p.unit = AttenuationUnit::hu;
  const Result hu = reconstruct_by<OsSartReconstruction>(options(), scan, p);
  for (std::size_t i = 0; i < mu.voxels.size(); ++i)
    ASSERT_NEAR(hu.voxels[i], 1000 * (mu.voxels[i] / mu_water - 1), 2e-3);
}

template <class Op>
void check_cancellation(const SessionOptions& with, typename Op::Params params, const OptionalInputs& always = {}) {
  const Trial t{.n = 64, .views = 60};
  const Projections scan = scan_head(t);
  params.iterations = 100000;
  Pipeline pipeline(context());
  pipeline.add_input("scan", scan);
  for (const auto& [name, payload] : always) pipeline.add_input(name, payload);
  pipeline.add<Op>("recon", on_grid<typename Op::Params>(t, params));
  pipeline.connect("scan", "output", "recon", "input");
  for (const auto& [name, payload] : always) pipeline.connect(name, "output", "recon", name);
  pipeline.add_output("out", "recon", "output");
  SessionOptions o = with;
  static std::atomic<int> steps;
  steps = 0;
  o.progress = [](void*, const char*, std::int64_t, double) { ++steps; };
  Session session = pipeline.prepare(o);
  session.start();
  session.push("scan", scan);
  for (const auto& [name, payload] : always) session.push(name.c_str(), payload);
  while (steps < 5) std::this_thread::yield();
  session.cancel();
  EXPECT_THAT(error_of([&] { session.wait(); }), HasSubstr("cancelled")) << Op::name;
  const auto item = session.pull("out");
  ASSERT_TRUE(item) << Op::name;
  const Volume v(context().copy_to(*item, "cpu"));
  EXPECT_LT(rmse({v.values().begin(), v.values().end()}, truth_of(t)) / mu_water, 0.25) << Op::name;
}

TEST_P(IterativeSharing, ACancelledSessionGivesItsLastIterate) {
  check_cancellation<OsSartReconstruction>(options(), {});
  check_cancellation<OsSartReconstruction>(options(), {.subsets = 60});
  check_cancellation<OsSartReconstruction>(options(), {.subsets = 6});
  check_cancellation<OsemReconstruction>(options(), {.subsets = 6});
  check_cancellation<CglsReconstruction>(options(), {});
  check_cancellation<TvReconstruction>(options(), {.weight_per_mm = 1e-5});
  check_cancellation<TvReconstruction>(options(), {.weight_per_mm = 1e-5}, half_the_truth({.n = 64, .views = 60}));
}

TEST(SubsetOrder, VisitsEachOnceAndLeavesNeighboursApart) {
  for (const int n : {1, 2, 3, 7, 8, 20}) {
    std::vector<int> order = subset_order(n);
    std::sort(order.begin(), order.end());
    ASSERT_EQ(order.size(), static_cast<std::size_t>(n));
    for (int i = 0; i < n; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
  }
  EXPECT_EQ(subset_order(8), (std::vector<int>{0, 4, 2, 6, 1, 5, 3, 7}));
}

TEST_P(IterativeSharing, MoreSubsetsThanViewsAreRefused) {
  const Trial t{.n = 24, .voxel_mm = 8, .views = 20};
  EXPECT_THAT(error_of([&] {
                reconstruct_by<OsSartReconstruction>(options(), scan_head(t),
                                                     on_grid<OsSartReconstruction::Params>(t, {.subsets = 21}));
              }),
              AllOf(HasSubstr("subsets = 21"), HasSubstr("20 views"), HasSubstr("Fix:")));
}

}  // namespace
}  // namespace isocenter::testing
