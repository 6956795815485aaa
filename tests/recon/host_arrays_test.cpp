// Reconstructions on a device that does not hold the volume and the projections: they stay in host memory, and the
// device, whose memory nobody else can touch and whose kernels touch no other, gets them in pieces.
#include <gmock/gmock.h>

#include <isocenter/phantom/phantom_projections.hpp>
#include <isocenter/recon/cgls_reconstruction.hpp>
#include <isocenter/recon/fdk_reconstruction.hpp>
#include <isocenter/recon/os_sart_reconstruction.hpp>
#include <isocenter/recon/osem_reconstruction.hpp>
#include <isocenter/recon/tv_reconstruction.hpp>
#include <limits>

#include "device_test.hpp"
#include "recon_apart.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// Cancels a session while one of the device's projections runs, and counts them.
struct Moment {
  int cancel_at = 0, projections = 0;
  Session* session = nullptr;
};
Moment* moment = nullptr;

template <class K>
detail::DeviceKernel watched() {
  return {K::name, sizeof(K), [](const void* args, std::int64_t nx, std::int64_t ny, std::int64_t nz, void* stream) {
            SeparateDevice::enqueue_kernel(stream, [] {
              if (++moment->projections == moment->cancel_at) moment->session->cancel();
            });
            return enqueue_apart<K>(args, nx, ny, nz, stream);
          }};
}

constexpr int columns = 26, rows = 22, views = 12, nx = 20, nz = 18;

Payload scan(double misalignment_deg = 0.0, int count = views) {
  Pipeline pipeline(context());
  const auto raw = pipeline.add<PhantomProjections>("raw", {.views = count,
                                                            .columns = columns,
                                                            .rows = rows,
                                                            .column_step_mm = 15,
                                                            .row_step_mm = 15,
                                                            .misalignment_deg = misalignment_deg});
  pipeline.add_output("scan", raw.output);
  Session session = pipeline.prepare();
  session.start();
  return context().copy_to(*session.pull("scan"), "cpu");
}

Volume mask_of_a_ball() {
  std::vector<float> ball(nx * nx * nz);
  for (std::size_t i = 0; i < ball.size(); ++i) {
    const double x = static_cast<double>(i % nx) - 9.5, y = static_cast<double>(i / nx % nx) - 9.5;
    ball[i] = x * x + y * y < 80 ? 1.0F : 0.0F;
  }
  return Volume::own(std::move(ball), nx, nx, nz, Geometry::centred(nx, nx, nz, {12, 12, 12}), "1");
}

template <class Op>
Given reconstruct(const Context& in, const char* device, typename Op::Params params, const Payload& projections,
                  bool masked = false, std::uint64_t budget = 0) {
  params.nx = params.ny = nx, params.nz = nz;
  params.spacing_mm = {12};
  params.unit = decltype(params.unit)::per_mm;
  const Payload own = in.copy_to(projections, "cpu"), mask = in.copy_to(mask_of_a_ball(), "cpu");
  Pipeline pipeline(in);
  pipeline.add_input("scan", own);
  pipeline.add<Op>("recon", params);
  pipeline.connect("scan", "output", "recon", "input");
  if (masked) {
    pipeline.add_input("mask", mask);
    pipeline.connect("mask", "output", "recon", "mask");
  }
  pipeline.add_output("out", "recon", "output");
  SessionOptions options;
  options.device = device;
  options.memory_bytes = budget;
  options.in_flight = 1;
  Session session = pipeline.prepare(options);
  if (moment != nullptr) moment->session = &session;
  session.start();
  session.push("scan", own);
  if (masked) session.push("mask", mask);
  session.end_input("scan");
  if (masked) session.end_input("mask");
  if (moment != nullptr && moment->cancel_at > 0) error_of([&] { session.wait(); });
  const auto item = session.pull("out");
  if (!item) session.wait();
  const Payload volume = in.copy_to(*item, "cpu");
  const auto values = volume.tensor("voxels").span<const float>();
  return {{values.begin(), values.end()}, session.report()};
}

constexpr double to_rounding = 3e-6;

/// A device that holds everything, and one that does not: `few` and `fewer` bytes, of which nine tenths are used.
template <class Op>
void check(const typename Op::Params& params, std::initializer_list<std::uint64_t> memories, bool masked = false) {
  const Payload projections = scan();
  const Given on_cpu = reconstruct<Op>(context(), "cpu", params, projections, masked);
  Apart large(ample);
  const Given whole = reconstruct<Op>(*large.context, "apart:0", params, projections, masked);
  EXPECT_LT(apart_by(whole.values, on_cpu.values), to_rounding) << Op::name;
  EXPECT_THAT(whole.report, Not(HasSubstr("host memory")));
  for (const std::uint64_t memory : memories)
    for (const bool eager : {false, true}) {
      ASSERT_LT(memory, large.device.most_memory());
      Apart small(memory, eager);
      const Given cut = reconstruct<Op>(*small.context, "apart:0", params, projections, masked);
      EXPECT_LT(apart_by(cut.values, whole.values), to_rounding) << Op::name << " in " << memory;
      EXPECT_THAT(cut.report, HasSubstr("volumes and projections in host memory")) << Op::name << " in " << memory;
      EXPECT_LE(small.device.most_memory(), memory / 10 * 9);
    }
}

// The volume has 29 kB, the projections 27 kB, the lines of the rays 25 kB.

TEST(HostArrays, OsSartGivesTheSameVolume) {
  check<OsSartReconstruction>({.subsets = 3, .iterations = 2}, {130000, 80000}, true);
}
TEST(HostArrays, SirtGivesTheSameVolume) { check<OsSartReconstruction>({.iterations = 2}, {130000}); }
TEST(HostArrays, TheVoxelDrivenBackProjectorGivesTheSameVolume) {
  check<OsSartReconstruction>({.subsets = 3, .iterations = 2, .back_projector = BackProjector::voxel_driven}, {170000});
}
TEST(HostArrays, OsemGivesTheSameVolume) {
  check<OsemReconstruction>({.data = EmData::emission, .subsets = 3, .iterations = 2}, {130000});
  check<OsemReconstruction>({.subsets = 3, .iterations = 2}, {130000}, true);
}
TEST(HostArrays, CglsGivesTheSameVolume) { check<CglsReconstruction>({.iterations = 4}, {130000}, true); }
TEST(HostArrays, TotalVariationGivesTheSameVolume) {
  check<TvReconstruction>({.iterations = 3, .weight_per_mm = 1e-4}, {130000});
}

TEST(HostArrays, KeepAsLittleAsTheBudgetOfTheHostAsksFor) {
  const Payload projections = scan();
  const OsSartReconstruction::Params params{.subsets = 3, .iterations = 2};
  Apart large(ample);
  const Given whole = reconstruct<OsSartReconstruction>(*large.context, "apart:0", params, projections);
  Apart small(ample);
  const Given cut = reconstruct<OsSartReconstruction>(*small.context, "apart:0", params, projections, false, 110000);
  EXPECT_THAT(cut.report, HasSubstr("volumes and projections in host memory, as little kept as the method allows"));
  EXPECT_LT(apart_by(cut.values, whole.values), to_rounding);
  EXPECT_LE(small.device.most_memory(), 110000U);
  EXPECT_THAT(error_of([&] {
                reconstruct<OsSartReconstruction>(*small.context, "apart:0", params, projections, false, 30000);
              }),
              AllOf(HasSubstr("even in slabs of 20 x 20 x 1 voxels"), HasSubstr("Fix: raise the budget to")));
}

TEST(HostArrays, WithoutABudgetTheDevicesMemoryIsWhatIsTooSmall) {
  Apart tiny(30000);
  EXPECT_THAT(
      error_of([&] { reconstruct<OsSartReconstruction>(*tiny.context, "apart:0", {.iterations = 1}, scan()); }),
      AllOf(HasSubstr("are left on 'apart:0'"), HasSubstr("Fix: use a device with "), Not(HasSubstr("budget"))));
}

/// Cancelled while the device works on a group of views of its second iteration, it gives the first or the second
/// iterate. The device works on no more groups than it had got by then, and where slabs take the step one after another
/// and one has taken it, on those that the others still need.
template <class Op>
void check_cancellation(typename Op::Params params, bool slab_by_slab) {
  const Payload projections = scan(0.0, 40);  // five groups
  const auto run = [&](std::int64_t iterations, Moment* when) {
    params.iterations = iterations;
    std::vector<detail::DeviceKernel> kernels = recon_kernels();
    kernels.insert(kernels.begin(), {watched<detail::JosephForward>(), watched<detail::JosephAdjoint>()});
    Apart small(260000, false, kernels);
    moment = when;
    const Given given = reconstruct<Op>(*small.context, "apart:0", params, projections);
    moment = nullptr;
    return given;
  };
  Moment one, two;
  const Given first = run(1, &one), second = run(2, &two);
  EXPECT_THAT(first.report, HasSubstr("volumes and projections in host memory"));
  const int in_one = two.projections - one.projections;
  for (int at = one.projections + 1; at <= two.projections; at += (in_one + 11) / 12) {
    Moment when{.cancel_at = at};
    const Given given = run(1000, &when);
    const bool has_stepped = given.values == second.values;
    ASSERT_TRUE(has_stepped || given.values == first.values) << Op::name << ", projection " << at;
    // Two groups, of three kernels each when they are back-projected.
    EXPECT_LE(when.projections, has_stepped && slab_by_slab ? two.projections : at + 6)
        << Op::name << ", cancelled at " << at << " of " << two.projections;
  }
}

TEST(HostArrays, OfACancelledSessionGiveTheLastIterateSoon) {
  check_cancellation<OsSartReconstruction>({}, true);
  check_cancellation<CglsReconstruction>({}, false);
  check_cancellation<TvReconstruction>({.weight_per_mm = 1e-4}, false);
}

/// Projections with another value at one place.
Payload with_reading(const Payload& projections, int view, int row, int column, float value) {
  Payload changed = context().copy_to(projections, "cpu");
  changed.tensor("views").as<float>()[(view * rows + row) * columns + column] = value;
  return changed;
}

TEST(HostArrays, AReadingThatIsNoNumberIsNamedWhereverTheProjectionsLie) {
  const Payload bad = with_reading(scan(), 7, 3, 5, std::numeric_limits<float>::quiet_NaN());
  const Payload negative = with_reading(scan(), 4, 21, 25, -1.0F);
  const auto names = [](const char* view, const char* row, const char* column) {
    return AllOf(HasSubstr(view), HasSubstr(row), HasSubstr(column), HasSubstr("Fix: repair"));
  };
  for (const std::uint64_t memory : {ample, std::uint64_t{130000}}) {
    Apart apart(memory);
    const Context& in = *apart.context;
    EXPECT_THAT(error_of([&] { reconstruct<CglsReconstruction>(in, "apart:0", {.iterations = 1}, bad); }),
                names("view 7", "row 3", "column 5"));
    EXPECT_THAT(error_of([&] {
                  reconstruct<OsemReconstruction>(in, "apart:0", {.data = EmData::emission, .iterations = 1}, negative);
                }),
                AllOf(names("view 4", "row 21", "column 25"), HasSubstr("hold -1 at"), HasSubstr("from 0 on")));
  }
}

// ---- FDK ----

void check_fdk(FdkReconstruction::Params params, double misalignment_deg,
               std::initializer_list<std::uint64_t> memories) {
  params.largest_gap_deg = 40;
  const Payload projections = scan(misalignment_deg);
  const Given on_cpu = reconstruct<FdkReconstruction>(context(), "cpu", params, projections);
  Apart large(ample);
  const Given whole = reconstruct<FdkReconstruction>(*large.context, "apart:0", params, projections);
  EXPECT_LT(apart_by(whole.values, on_cpu.values), 1e-5);
  EXPECT_THAT(whole.report, Not(HasSubstr("fdk.projections")));
  for (const std::uint64_t memory : memories)
    for (const bool eager : {false, true}) {
      ASSERT_LT(memory, large.device.most_memory());
      Apart small(memory, eager);
      const bool in_slabs = memory < 100000;
      if (in_slabs) small.device.leave_host_open();
      const Given cut = reconstruct<FdkReconstruction>(*small.context, "apart:0", params, projections);
      EXPECT_LT(apart_by(cut.values, whole.values), to_rounding) << memory;
      EXPECT_THAT(cut.report, HasSubstr("pass by pass")) << memory;
      EXPECT_EQ(cut.report.find("fdk.slabs") != std::string::npos, in_slabs) << cut.report;
      EXPECT_LE(small.device.most_memory(), memory / 10 * 9);
    }
}

TEST(HostProjections, FdkGivesTheSameVolumePassByPassAndSlabBySlab) { check_fdk({}, 0.0, {300000, 150000, 60000}); }
TEST(HostProjections, FdkGivesTheSameVolumeFromResampledViews) { check_fdk({}, 0.4, {300000, 150000, 70000}); }

TEST(HostProjections, FdkNamesTheReadingThatIsNoNumberWhereverTheProjectionsLie) {
  const Payload bad = with_reading(scan(), 7, 3, 5, std::numeric_limits<float>::infinity());
  for (const std::uint64_t memory : {ample, std::uint64_t{150000}}) {
    Apart apart(memory);
    EXPECT_THAT(
        error_of([&] { reconstruct<FdkReconstruction>(*apart.context, "apart:0", {.largest_gap_deg = 40}, bad); }),
        AllOf(HasSubstr("view 7"), HasSubstr("row 3, column 5")));
  }
}

}  // namespace
}  // namespace isocenter::testing
