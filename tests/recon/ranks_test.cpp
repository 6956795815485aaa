// Iterative reconstructions of several processes, each on a device of its own, whose memory nobody else can touch: the
// volume of one process, and how a job ends in which one of them fails, is cancelled or has no device. The processes
// are threads with a context each.
#include <gmock/gmock.h>

#include <isocenter/phantom/phantom_projections.hpp>
#include <limits>

#include "in_process_ranks.hpp"
#include "one_of.hpp"
#include "recon_apart.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr int columns = 26, rows = 22, views = 12, nx = 20, nz = 18;

Payload scan() {
  return one_of<PhantomProjections>(
      {.views = views, .columns = columns, .rows = rows, .column_step_mm = 15, .row_step_mm = 15});
}
Volume like_the_output(float inside, float outside, const char* unit) {
  std::vector<float> values(nx * nx * nz);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double x = static_cast<double>(i % nx) - 9.5, y = static_cast<double>(i / nx % nx) - 9.5;
    values[i] = x * x + y * y < 80 ? inside : outside;
  }
  return Volume::own(std::move(values), nx, nx, nz, Geometry::centred(nx, nx, nz, {12, 12, 12}), unit);
}

using Settings = std::vector<std::pair<const char*, std::string>>;
using Inputs = std::vector<std::pair<const char*, Payload>>;
struct Method {
  const char* name;
  Settings settings;
  Inputs more = {};
};
std::vector<Method> methods() {
  const Payload mask = like_the_output(1.0F, 0.0F, "1");
  return {{"os_sart_reconstruction", {{"iterations", "2"}}},
          {"os_sart_reconstruction", {{"subsets", "3"}, {"iterations", "2"}}, {{"mask", mask}}},
          {"os_sart_reconstruction", {{"subsets", "3"}, {"iterations", "2"}, {"back_projector", "voxel_driven"}}},
          {"osem_reconstruction", {{"data", "emission"}, {"subsets", "3"}, {"iterations", "2"}}},
          {"osem_reconstruction", {{"subsets", "3"}, {"iterations", "2"}}, {{"mask", mask}}},
          {"cgls_reconstruction", {{"iterations", "4"}}, {{"start", like_the_output(0.01F, 0.0F, "1/mm")}}},
          {"tv_reconstruction", {{"iterations", "3"}, {"inner", "5"}, {"weight_per_mm", "1e-4"}}},
          {"tv_reconstruction",
           {{"iterations", "2"}, {"inner", "5"}, {"weight_per_mm", "1e-4"}},
           {{"prior", like_the_output(0.02F, 0.0F, "1/mm")}}}};
}

/// A method as a node on a device, its inputs pushed, its output pulled; with what a test changes before it is
/// prepared.
struct Job {
  Job(const Context& in, const Method& m, const Payload& projections) : pipeline(in) {
    pipeline.add("recon", m.name);
    for (const auto& [key, value] : Settings{{"nx", "20"}, {"ny", "20"}, {"nz", "18"}, {"spacing_mm", "12"}})
      pipeline.set("recon", key, value);
    const bool counts = !m.settings.empty() && m.settings.front().second == "emission";
    if (!counts) pipeline.set("recon", "unit", "1/mm");
    for (const auto& [key, value] : m.settings) pipeline.set("recon", key, value);
    inputs = m.more;
    inputs.emplace_back("input", projections);
    for (auto& [port, payload] : inputs) {
      payload = in.copy_to(payload, "cpu");
      const std::string name = std::string("for_") + port;
      pipeline.add_input(name.c_str(), payload);
      pipeline.connect(name.c_str(), "output", "recon", port);
    }
    pipeline.add_output("out", "recon", "output");
  }
  Given run(const Context& in, const SessionOptions& options, bool pulls) {
    Session session = pipeline.prepare(options);
    prepared = &session;
    session.start();
    for (const auto& [port, payload] : inputs) session.push((std::string("for_") + port).c_str(), payload);
    for (const auto& [port, payload] : inputs) session.end_input((std::string("for_") + port).c_str());
    std::vector<float> voxels;
    if (const auto item = pulls ? session.pull("out") : std::nullopt; item) {
      const Payload result = in.copy_to(*item, "cpu");
      const auto values = result.tensor("voxels").span<const float>();
      voxels.assign(values.begin(), values.end());
    }
    session.wait();
    return {std::move(voxels), session.report()};
  }
  Pipeline pipeline;
  Inputs inputs;
  Session* prepared = nullptr;  ///< while it runs
};

/// What each rank has: the memory of its device, 0 for none: then it works on the CPU.
using Memories = std::vector<std::uint64_t>;
using Identities = std::vector<const detail::DeviceIdentity*>;

struct Shared {
  std::vector<Given> given;
  std::vector<std::string> errors;
  std::vector<int> kernels_run;
  std::vector<std::uint64_t> memory, host_memory;  ///< at most at once, on the device and beside it
};

/// `before` may change what a rank is about to run.
template <class F>
Shared run_shared(const Memories& memories, const Method& m, const Payload& projections, F&& before, bool eager = false,
                  Identities identities = {}) {
  const std::size_t n = memories.size();
  identities.resize(n);
  InProcessRanks ranks(static_cast<int>(n));
  Shared s{std::vector<Given>(n), {}, std::vector<int>(n), Memories(n), Memories(n)};
  std::vector<std::unique_ptr<Apart>> apart;
  for (std::size_t r = 0; r < n; ++r)
    apart.push_back(
        std::make_unique<Apart>(std::max<std::uint64_t>(memories[r], 1), eager, recon_kernels(), identities[r]));
  s.errors = as_each_rank(static_cast<int>(n), [&](int rank) {
    const auto r = static_cast<std::size_t>(rank);
    const Context& in = *apart[r]->context;
    ranks.join(in, rank);
    Job job(in, m, projections);
    SessionOptions options;
    options.device = memories[r] > 0 ? "apart" : "cpu";
    options.in_flight = 1;
    before(rank, &options, &job);
    s.given[r] = job.run(in, options, rank == 0);
  });
  for (std::size_t r = 0; r < n; ++r) {
    s.kernels_run[r] = apart[r]->device.kernels_run();
    s.memory[r] = apart[r]->device.most_memory();
    s.host_memory[r] = apart[r]->device.most_host_memory();
  }
  EXPECT_EQ(ranks.open_channels(), 0U) << "the sessions are gone";
  EXPECT_GT(ranks.channels_opened(0), 0);
  return s;
}
Shared run_shared(const Memories& memories, const Method& m, const Payload& projections, bool eager = false,
                  const Identities& identities = {}) {
  return run_shared(
      memories, m, projections, [](int, SessionOptions*, Job*) {}, eager, identities);
}

Given run_alone(const Method& m, const Payload& projections) {
  SessionOptions options;
  options.in_flight = 1;
  return Job(context(), m, projections).run(context(), options, true);
}

constexpr double to_rounding = 3e-6;

TEST(Ranks, OnADeviceEachGiveTheVolumeOfOneProcess) {
  const Payload projections = scan();
  for (const Method& m : methods()) {
    const Given alone = run_alone(m, projections);
    for (const int n : {2, 3}) {
      const Shared s = run_shared(Memories(static_cast<std::size_t>(n), ample), m, projections, n == 3);
      ASSERT_THAT(s.errors, Each(IsEmpty())) << m.name;
      EXPECT_LT(apart_by(s.given[0].values, alone.values), to_rounding) << m.name << ", " << n << " ranks";
      EXPECT_THAT(s.kernels_run, Each(::testing::Gt(20))) << m.name;
      const auto residual = s.given[0].metric("relative_residual");
      ASSERT_GE(residual.size(), 2U);
      EXPECT_NEAR(residual.back(), alone.metric("relative_residual").back(), 1e-5) << m.name;
      for (const Given& g : s.given) EXPECT_EQ(g.metric("relative_residual"), residual) << m.name << ": the same bits";
      EXPECT_THAT(s.given[0].report, Not(HasSubstr("host memory"))) << m.name;
    }
  }
}

// The volume has 29 kB, the projections 27 kB, the lines of the rays 25 kB; a rank's part a half of the volume.
TEST(Ranks, OnADeviceThatDoesNotHoldItsPartGiveTheVolumeOfOneProcess) {
  const Payload projections = scan();
  bool eager = false;
  for (const Method& m : methods()) {
    const Shared s = run_shared({130000, 110000}, m, projections, eager = !eager);
    ASSERT_THAT(s.errors, Each(IsEmpty())) << m.name;
    EXPECT_LT(apart_by(s.given[0].values, run_alone(m, projections).values), to_rounding) << m.name;
    EXPECT_THAT(s.given[1].report, HasSubstr("volumes and projections in host memory")) << m.name;
    EXPECT_LE(s.memory[1], 110000U / 10 * 9);
  }
}

TEST(Ranks, OneOnADeviceAndOneOnTheCpuGiveTheVolumeOfOneProcess) {
  const Payload projections = scan();
  for (const Method& m : methods()) {
    const Shared s = run_shared({0, ample}, m, projections);
    ASSERT_THAT(s.errors, Each(IsEmpty())) << m.name;
    EXPECT_LT(apart_by(s.given[0].values, run_alone(m, projections).values), to_rounding) << m.name;
    EXPECT_GT(s.kernels_run[1], 20);
  }
}

TEST(Ranks, EndAfterTheSameIterationWhenTheResidualStandsStill) {
  const Method m = {"os_sart_reconstruction", {{"iterations", "60"}, {"stop_at_change", "0.05"}}};
  const Payload projections = scan();
  const auto iterations = run_alone(m, projections).metric("iterations");
  ASSERT_GT(iterations.at(0), 3);
  ASSERT_LT(iterations.at(0), 60);
  for (const Memories& memories : {Memories{ample, ample}, Memories{ample, 0, 110000}}) {
    const Shared s = run_shared(memories, m, projections);
    ASSERT_THAT(s.errors, Each(IsEmpty()));
    for (const Given& g : s.given) EXPECT_EQ(g.metric("iterations"), iterations);
    EXPECT_THAT(s.given[0].report, Not(HasSubstr("host memory"))) << "what the last one has to do the others need not";
  }
}

/// The number behind `key` in the report's memory of the host.
double bytes_on_host(const Given& g) {
  const auto at = g.report.find("\"cpu\":", g.report.find("\"memory_bytes\""));
  return at == std::string::npos ? -1.0 : std::strtod(g.report.c_str() + at + 6, nullptr);
}

TEST(Ranks, TellTheirHostMemory) {
  const Payload projections = scan();
  const std::uint64_t channel_bytes = InProcessRanks::channel_bytes;
  for (const Memories& memories : {Memories{ample, ample}, Memories{110000, 0}}) {
    const Shared s = run_shared(memories, methods()[0], projections);
    InProcessRanks::channel_bytes += 1 << 20;
    const Shared more = run_shared(memories, methods()[0], projections);
    InProcessRanks::channel_bytes = channel_bytes;
    ASSERT_THAT(s.errors, Each(IsEmpty()));
    ASSERT_THAT(more.errors, Each(IsEmpty()));
    for (std::size_t r = 0; r < 2; ++r) {
      const double planned = bytes_on_host(s.given[r]);
      EXPECT_EQ(bytes_on_host(more.given[r]) - planned, 2 << 20) << "to the others, and of the join";
      // What the host allocates is planned, but the test's copies of the scan and the volume; to whole lines.
      const double test_holds = 4.0 * (columns * rows * views + nx * nx * nz) + 2000.0;
      EXPECT_LE(static_cast<double>(s.host_memory[r]), planned - 2.0 * static_cast<double>(channel_bytes) + test_holds);
    }
  }
}

TEST(Ranks, OnOneDeviceShareItsMemoryAndSaySo) {
  const detail::DeviceIdentity one = {sizeof one, {1, 2, 3}}, other = {sizeof other, {1, 2, 4}};
  const Payload projections = scan();
  const Method m = methods()[0];
  constexpr std::uint64_t memory = 400000;  // a half of it does not hold everything
  const Shared own = run_shared({memory, memory}, m, projections, false, {&one, &other});
  ASSERT_THAT(own.errors, Each(IsEmpty()));
  EXPECT_THAT(own.given[0].report, AllOf(Not(HasSubstr("share")), Not(HasSubstr("views at a time"))));
  EXPECT_GT(own.memory[0], memory / 2 / 10 * 9);
  const Shared s = run_shared({memory, memory, memory}, m, projections, false, {&one, &one, &other});
  ASSERT_THAT(s.errors, Each(IsEmpty()));
  EXPECT_THAT(s.given[0].report, AllOf(HasSubstr("3 processes share 2 GPUs"), HasSubstr("views at a time")));
  EXPECT_LE(s.memory[0], memory / 2 / 10 * 9);
  EXPECT_LE(s.memory[1], memory / 2 / 10 * 9);
  EXPECT_LT(apart_by(s.given[0].values, run_alone(m, projections).values), to_rounding);
}

TEST(Ranks, AReadingThatIsNoNumberEndsTheJobWithItsPlace) {
  const Payload broken = context().copy_to(scan(), "cpu");
  broken.tensor("views").as<float>()[(3 * rows + 5) * columns + 7] = std::numeric_limits<float>::quiet_NaN();
  for (const Method& m : methods()) {
    const Shared s = run_shared({ample, ample}, m, broken);
    EXPECT_THAT(s.errors, Each(HasSubstr("view 3, row 5, column 7"))) << m.name;
  }
}

TEST(Ranks, ARankWithoutADeviceEndsTheOthersWithThat) {
  const Shared s = run_shared({ample, ample, ample}, methods()[0], scan(), [](int rank, SessionOptions* options, Job*) {
    if (rank == 1) options->device = "apart:1";
  });
  EXPECT_THAT(s.errors[1], HasSubstr("there is no device 'apart:1'. Fix: use one of: cpu, apart:0, apart, best"));
  for (const int r : {0, 2})
    EXPECT_THAT(s.errors[static_cast<std::size_t>(r)],
                HasSubstr("rank 1 of 3 has failed: there is no device 'apart:1'. Fix: use one of"));
}

TEST(Ranks, ARankWhoseDeviceDoesNotHoldASliceEndsTheOthersWithThat) {
  const Shared s = run_shared({ample, 20000}, methods()[0], scan());
  EXPECT_THAT(s.errors[1], AllOf(HasSubstr("os_sart_reconstruction"), HasSubstr("are left on")));
  EXPECT_THAT(s.errors[0], AllOf(HasSubstr("rank 1 of 2 has failed: "), HasSubstr("are left on")));
}

TEST(Ranks, ARankThatIsCancelledEndsTheOthersWithThat) {
  const std::vector<Method> all = methods();
  for (const Memories& memories : {Memories{ample, ample}, Memories{110000, 110000}})
    for (Method m : {all[1], all[3], all[5], all[6]}) {
      m.settings.emplace_back("iterations", "100000");
      const Shared s = run_shared(memories, m, scan(), [](int rank, SessionOptions* options, Job* job) {
        if (rank == 0) return;
        options->progress_user = job;
        options->progress = [](void* user, const char*, std::int64_t, double fraction) {
          if (fraction > 1.5e-5) static_cast<Job*>(user)->prepared->cancel();
        };
      });
      EXPECT_THAT(s.errors[1], HasSubstr("cancelled")) << m.name;
      EXPECT_THAT(s.errors[0], HasSubstr("rank 1 of 2 has failed: its session was cancelled")) << m.name;
      EXPECT_THAT(s.given[0].values, IsEmpty()) << m.name;
    }
}

}  // namespace
}  // namespace isocenter::testing
