// Iterative reconstructions whose budget does not hold all they would keep: the same volume to rounding from any
// budget, no byte more than it, and what is said when not even the least is there.
#include <gmock/gmock.h>

#include <atomic>
#include <cstdlib>
#include <isocenter/phantom/phantom_projections.hpp>
#include <isocenter/recon/cgls_reconstruction.hpp>
#include <isocenter/recon/os_sart_reconstruction.hpp>
#include <isocenter/recon/osem_reconstruction.hpp>
#include <isocenter/recon/tv_reconstruction.hpp>
#include <random>

#include "device_test.hpp"
#include "projector_test_data.hpp"
#include "recon/slab_projector.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

double relative_difference(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double difference = 0.0, norm = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - b[i], 2);
    norm += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(difference / norm);
}

// ---- the projector ----

const Setting settings[] = {
    {.name = "cone", .aligned = true},
    {.name = "parallel", .beam = Beam::parallel, .aligned = true},
    {.name = "curved", .detector = DetectorShape::curved, .aligned = true},
    {.name = "tilted", .tilted = true},
    {.name = "turned", .nz = 37, .tilted = true, .turns = true},
    {.name = "fan", .columns = 37, .rows = 1, .nz = 1},
    {.name = "tall", .nz = 53},
};

TEST(SlabProjector, ProjectsAndBackProjectsAsTheWholeDoes) {
  for (const Setting& s : settings) {
    const TestProjector t(s);
    const auto x = noise(t.voxels(), 1), y = noise(t.rays(), 2);
    const detail::Launcher launcher = launcher_with(2);
    const std::vector<float> ax = t.forward(x, launcher), aty = t.back(y, launcher);
    for (const int slabs : {1, 2, 3, s.nz}) {
      for (const int views : {1, 5, s.views}) {
        detail::SlabProjector cut(t.projector(), slabs, views);
        std::vector<std::int32_t> places(static_cast<std::size_t>(views));
        for (int n = 0; n < views; ++n) places[static_cast<std::size_t>(n)] = n;
        const Scratch scratch(cut.work_bytes(launcher));
        cut.use(t.plan().lines.data(), scratch.get());
        cut.use_places(places.data());
        std::vector<float> out(t.floats_of_views(), -7e30F), projections(t.rays());
        cut.forward(launcher, x.data(), t.order(), t.views(), out.data());
        t.projector().give_views(launcher, out.data(), projections.data(), t.views());
        EXPECT_LT(relative_difference(projections, ax), 2e-6) << s.name << " " << slabs << " " << views;
        std::vector<float> in = t.taken_views(y), volume(t.voxels(), -7e30F);
        const std::size_t slice = static_cast<std::size_t>(s.nx) * static_cast<std::size_t>(s.ny);
        for (int k = 0; k < cut.slabs(); ++k)
          cut.back(launcher, in.data(), t.order(), t.views(), k,
                   volume.data() + static_cast<std::size_t>(cut.first_slice(k)) * slice, false);
        EXPECT_LT(relative_difference(volume, aty), 2e-6) << s.name << " " << slabs << " " << views;
      }
    }
  }
}

// ---- the operators ----

ISOCENTER_DEVICE_SUITE(IterativeInSlabs);

struct Result {
  std::vector<float> voxels;
  std::string report;
};

template <class Op>
Result reconstruct(SessionOptions options, typename Op::Params params, std::uint64_t memory_bytes, bool masked,
                   const Context& in = context(), Session** watched = nullptr, bool cancelled = false) {
  params.nx = params.ny = 40, params.nz = 35;
  params.spacing_mm = {6};
  params.unit = decltype(params.unit)::per_mm;
  options.memory_bytes = memory_bytes;
  options.in_flight = 1;
  std::vector<float> ball(40 * 40 * 35);
  for (std::size_t i = 0; i < ball.size(); ++i) {
    const double x = static_cast<double>(i % 40) - 19.5, y = static_cast<double>(i / 40 % 40) - 19.5;
    ball[i] = x * x + y * y < 300 ? 1.0F : 0.0F;
  }
  const Volume mask = Volume::own(std::move(ball), 40, 40, 35, Geometry::centred(40, 40, 35, {6, 6, 6}), "1");
  Pipeline pipeline(in);
  const auto raw = pipeline.add<PhantomProjections>(
      "raw", {.views = 30, .columns = 44, .rows = 37, .column_step_mm = 9, .row_step_mm = 9});
  const auto recon = pipeline.add<Op>("recon", params);
  pipeline.connect(raw.output, recon.input);
  if (masked) {
    pipeline.add_input("mask", mask);
    pipeline.connect("mask", "output", "recon", "mask");
  }
  pipeline.add_output("out", recon.output);
  Session session = pipeline.prepare(options);
  if (watched != nullptr) *watched = &session;
  session.start();
  if (masked) session.push("mask", mask);
  if (cancelled) error_of([&] { session.wait(); });
  const auto item = session.pull("out");
  if (!item) session.wait();
  const Payload on_cpu = options.device == "cpu" ? Payload(*item) : in.copy_to(*item, "cpu");
  const auto values = on_cpu.tensor("voxels").span<const float>();
  return {{values.begin(), values.end()}, session.report()};
}

double number_after(const std::string& text, const std::string& what) {
  const auto at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what << " in " << text;
  return at == std::string::npos ? 0.0 : std::strtod(text.c_str() + at + what.size(), nullptr);
}

/// All that the session has planned on a device.
std::uint64_t planned(const std::string& report, const std::string& device) {
  return static_cast<std::uint64_t>(
      number_after(report.substr(report.find("\"memory_bytes\"")), "\"" + device + "\":"));
}

/// `least`: the part of what the method takes without a budget that it makes do with.
template <class Op>
void check(const SessionOptions& options, const typename Op::Params& params, double least, double bound,
           bool masked = false) {
  const Result whole = reconstruct<Op>(options, params, 0, masked);
  const std::uint64_t all = planned(whole.report, options.device);
  EXPECT_THAT(whole.report, Not(HasSubstr("\"slabs\""))) << Op::name;
  const std::string refused = error_of([&] { reconstruct<Op>(options, params, 400000, masked); });
  EXPECT_THAT(refused, AllOf(HasSubstr(Op::name), HasSubstr("even in slabs of 40 x 40 x 1 voxels"),
                             HasSubstr("Fix: raise the budget to")));
  const auto smallest = static_cast<std::uint64_t>(number_after(refused, "raise the budget to ") * 1e6);
  EXPECT_LT(static_cast<double>(smallest), least * static_cast<double>(all)) << Op::name << " " << all;
  EXPECT_THAT(error_of([&] { reconstruct<Op>(options, params, smallest / 100 * 99, masked); }), HasSubstr("slabs of"));
  for (const std::uint64_t budget : {all, all - 4096, all / 4 * 3 + smallest / 4, all / 2 + smallest / 2,
                                     all / 8 + smallest / 8 * 7, smallest + smallest / 1000}) {
    const Result cut = reconstruct<Op>(options, params, budget, masked);
    EXPECT_LT(relative_difference(cut.voxels, whole.voxels), bound) << Op::name << " " << budget << " of " << all;
    EXPECT_LE(planned(cut.report, options.device), budget) << Op::name;
    if (budget < all) {
      EXPECT_THAT(cut.report, HasSubstr("\"slabs\"")) << Op::name;
    }
  }
}

constexpr double to_rounding = 2e-6;

TEST_P(IterativeInSlabs, SirtGivesTheSameVolumeFromLessThanHalfTheMemory) {
  check<OsSartReconstruction>(options(), {.iterations = 3}, 0.5, to_rounding);
  check<OsSartReconstruction>(options(), {.iterations = 3}, 0.5, to_rounding, true);
}
TEST_P(IterativeInSlabs, OsSartGivesTheSameVolumeFromLessThanHalfTheMemory) {
  check<OsSartReconstruction>(options(), {.subsets = 5, .iterations = 2}, 0.5, to_rounding, true);
  check<OsSartReconstruction>(options(), {.subsets = 3, .iterations = 2, .back_projector = BackProjector::voxel_driven},
                              0.5, to_rounding);
}
TEST_P(IterativeInSlabs, OsemGivesTheSameVolumeFromLessThanHalfTheMemory) {
  check<OsemReconstruction>(options(), {.data = EmData::emission, .subsets = 5, .iterations = 2}, 0.5, to_rounding);
  check<OsemReconstruction>(options(), {.subsets = 5, .iterations = 2}, 0.5, to_rounding, true);
  check<OsemReconstruction>(options(), {.iterations = 2}, 0.6, to_rounding);
}
TEST_P(IterativeInSlabs, CglsGivesTheSameVolumeFromTwoThirdsOfTheMemory) {
  check<CglsReconstruction>(options(), {.iterations = 5}, 0.67, to_rounding, true);
}
TEST_P(IterativeInSlabs, TotalVariationGivesTheSameVolumeFromThreeQuartersOfTheMemory) {
  check<TvReconstruction>(options(), {.iterations = 5, .weight_per_mm = 1e-4}, 0.75, to_rounding);
}

/// Host memory that is counted.
struct Counted {
  std::atomic<std::int64_t> now{0}, most{0};
  isocenter_allocator allocator{sizeof(isocenter_allocator), this,
                                [](void* user, std::size_t bytes, std::size_t alignment) -> void* {
                                  auto& c = *static_cast<Counted*>(user);
                                  c.most = std::max(c.most.load(), c.now += static_cast<std::int64_t>(bytes));
                                  return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
                                },
                                [](void* user, void* memory, std::size_t bytes) {
                                  static_cast<Counted*>(user)->now -= static_cast<std::int64_t>(bytes);
                                  std::free(memory);
                                }};
};

TEST(IterativeInSlabsOnTheCpu, TakeNoMoreMemoryThanTheBudget) {
  for (const std::uint64_t budget : {1700000U, 1300000U}) {
    Counted memory;
    isocenter_context_options o{};
    o.struct_size = sizeof o;
    o.flags = ISOCENTER_CONTEXT_NO_MODULES;
    o.allocator = &memory.allocator;
    const Context own(o);
    const Result r =
        reconstruct<OsSartReconstruction>({.device = "cpu"}, {.subsets = 5, .iterations = 1}, budget, false, own);
    EXPECT_THAT(r.report, HasSubstr("\"slabs\""));
    EXPECT_LE(memory.most, static_cast<std::int64_t>(budget));
    EXPECT_GT(memory.most, static_cast<std::int64_t>(budget / 2));
  }
}

TEST(IterativeInSlabsOnTheCpu, GiveTheSameBitsAgain) {
  const auto once = [] {
    return reconstruct<OsSartReconstruction>({.device = "cpu"}, {.subsets = 5, .iterations = 2}, 1600000, true);
  };
  const Result first = once();
  EXPECT_THAT(first.report, HasSubstr("\"slabs\""));
  EXPECT_EQ(first.voxels, once().voxels);
}

/// One thread, which counts the works that are spread over it from the session's start, and cancels it in one of them.
struct CountingThread {
  Session* session = nullptr;
  int cancel_at = 0, begun = 0;
  isocenter_threads threads{
      sizeof(isocenter_threads), this, 1,
      [](void* user, std::int64_t count, std::int64_t, void (*body)(void*, std::int64_t, std::int64_t), void* data) {
        auto& t = *static_cast<CountingThread*>(user);
        if (t.session != nullptr && ++t.begun == t.cancel_at) t.session->cancel();
        body(data, 0, count);
      }};
};

template <class Op>
Result cancelled_at(int work, typename Op::Params params, std::uint64_t budget, int* begun) {
  CountingThread thread{.cancel_at = work};
  isocenter_context_options o{};
  o.struct_size = sizeof o;
  o.flags = ISOCENTER_CONTEXT_NO_MODULES;
  o.threads = &thread.threads;
  const Context own(o);
  Result r = reconstruct<Op>({.device = "cpu"}, params, budget, true, own, &thread.session, work > 0);
  *begun = thread.begun;
  return r;
}

/// Cancelled in any work of its second iteration, it gives the first iterate soon, or the second one: soon too, or
/// where slabs take the step one after another by the end of that iteration.
template <class Op>
void check_cancellation(typename Op::Params params, std::uint64_t budget, bool slab_by_slab) {
  const auto run = [&](std::int64_t iterations, int cancel_at, int* begun) {
    params.iterations = iterations;
    return cancelled_at<Op>(cancel_at, params, budget, begun);
  };
  int one = 0, two = 0, firsts = 0, seconds = 0;
  const Result first = run(1, 0, &one), second = run(2, 0, &two);
  EXPECT_THAT(first.report, HasSubstr("\"slabs\""));
  for (int at = one; at < two; at += (two - one + 15) / 16) {
    int begun = 0;
    const Result r = run(1000, at, &begun);
    const bool has_stepped = r.voxels == second.voxels;
    ASSERT_TRUE(has_stepped || r.voxels == first.voxels) << Op::name << ", work " << at;
    ++(has_stepped ? seconds : firsts);
    if (has_stepped && slab_by_slab)
      EXPECT_LE(begun, two) << Op::name << ", work " << at;
    else
      EXPECT_LT(2 * (begun - at), two - one) << Op::name << ", work " << at;
  }
  EXPECT_GE(firsts, 1) << Op::name;
  EXPECT_TRUE(seconds > 0 || !slab_by_slab) << Op::name;
}

TEST(IterativeInSlabsOnTheCpu, GiveTheLastIterateSoonWhenTheyAreCancelledInAProjection) {
  check_cancellation<OsSartReconstruction>({}, 1700000, true);
  check_cancellation<OsemReconstruction>({}, 1600000, true);
  check_cancellation<CglsReconstruction>({}, 2300000, false);
  check_cancellation<TvReconstruction>({.weight_per_mm = 1e-4}, 3000000, false);
}

/// Its residual would be that of some subsets over all that was measured.
template <class Op>
void check_that_partial_iterations_do_not_count(typename Op::Params params) {
  int one = 0, two = 0;
  params.iterations = 1;
  const Result first = cancelled_at<Op>(0, params, 0, &one);
  params.iterations = 2;
  cancelled_at<Op>(0, params, 0, &two);
  for (int at = one + (two - one) / 4; at < one + (two - one) / 2; ++at) {
    int begun = 0;
    const Result r = cancelled_at<Op>(at, params, 0, &begun);
    EXPECT_NE(r.voxels, first.voxels) << Op::name;  // some subsets have taken their step
    EXPECT_EQ(number_after(r.report, "\"iterations\":{\"unit\":\"1\",\"values\":["), 1.0) << r.report;
    const std::string residuals = "\"relative_residual\":{\"unit\":\"1\",\"values\":[";
    const double residual = number_after(first.report, residuals);
    EXPECT_EQ(number_after(r.report, residuals), residual);
    EXPECT_EQ(number_after(r.report.substr(r.report.find(residuals) + residuals.size()), ","), residual) << r.report;
  }
}

TEST(IterativeOnTheCpu, CountOnlyCompleteIterationsWhenTheyAreCancelledBetweenSubsets) {
  check_that_partial_iterations_do_not_count<OsSartReconstruction>({.subsets = 10});
  check_that_partial_iterations_do_not_count<OsemReconstruction>({.subsets = 10});
}

}  // namespace
}  // namespace isocenter::testing
