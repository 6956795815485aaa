// Ports and scratch that stay in host memory although their node runs on a device, on a device whose memory the host
// cannot touch and whose kernels cannot touch the host's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/launcher.hpp"
#include "device_test.hpp"
#include "separate_device.hpp"
#include "test_operators.hpp"

namespace isocenter::testing {
namespace {

using ::testing::HasSubstr;

struct AddKernel {
  static constexpr const char* name = "test/add";
  float* values;
  float added;
  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int, int) const {
    detail::store(values + x, load(lanes, values + x) + added);
  }
};

/// output = input + added, a chunk of the volume at a time on the device; while one is worked on the next one comes.
struct ChunkedAdd {
  static constexpr const char* name = "test_chunked_add";
  static constexpr const char* module = "test";
  static constexpr const char* summary = "Adds in chunks.";
  struct Params {
    int chunk = 100;
    float added = 1;
    bool input_on_host = true, output_on_host = true;
    std::string other_port{};
    static constexpr auto describe() {
      return std::tuple{param(&Params::chunk, "chunk", Unit::px, 1, 1e6, "Voxels at a time."),
                        param(&Params::added, "added", Unit::hu, -1000, 1000, "Added to every voxel."),
                        param(&Params::input_on_host, "input_on_host", "Keeps the input on the host."),
                        param(&Params::output_on_host, "output_on_host", "Keeps the output on the host."),
                        param(&Params::other_port, "other_port", "One more to keep.")};
    }
  };
  struct Ports {
    In<Volume> input{"input", "Any."};
    Out<Volume> output{"output", "The sum."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::output}; }
  };
  static inline std::uint64_t left_before, left_after, host_left;
};

class ChunkedAddOperator final : public OperatorBase<ChunkedAdd> {
 public:
  void plan(PlanContext& plan) override {
    if (!plan.on_cpu()) plan.require_kernel<AddKernel>();
    ChunkedAdd::left_before = plan.memory_left();
    if (params.input_on_host) plan.keep_on_host("input");
    if (params.output_on_host) plan.keep_on_host("output");
    if (!params.other_port.empty()) plan.keep_on_host(params.other_port.c_str());
    ChunkedAdd::left_after = plan.memory_left();
    ChunkedAdd::host_left = plan.host_memory_left();
    plan.output("output").like(plan.input("input"));
    plan.scratch(2 * stride() * sizeof(float));
    plan.host_scratch(stride() * sizeof(float));
  }
  void run(const RunContext& run) override {
    const TensorView in = run.input("input").tensor("voxels"), out = run.output("output").tensor("voxels");
    const detail::Launcher launcher = detail::launcher_of(run);
    const std::int64_t n = in.count(), chunks = (n + params.chunk - 1) / params.chunk;
    const auto size = [&](std::int64_t k) { return std::min<std::int64_t>(params.chunk, n - k * params.chunk); };
    const auto buffer = [&](std::int64_t k) { return run.scratch<float>() + k % 2 * static_cast<int>(stride()); };
    const auto fetch = [&](std::int64_t k) {
      run.copy(buffer(k), in.as<float>() + k * params.chunk, static_cast<std::uint64_t>(size(k)) * sizeof(float),
               ISOCENTER_STREAM_BESIDE);
    };
    fetch(0);
    for (std::int64_t k = 0; k < chunks; ++k) {
      const auto bytes = static_cast<std::uint64_t>(size(k)) * sizeof(float);
      run.follow(ISOCENTER_STREAM_MAIN);
      launch(launcher, AddKernel{buffer(k), params.added}, static_cast<int>(size(k)), 1, 1);
      run.copy(run.host_scratch<float>(), buffer(k), bytes);
      if (k + 1 < chunks) {
        run.follow(ISOCENTER_STREAM_BESIDE);  // the buffer is read no more
        fetch(k + 1);
      }
      run.wait();
      if (params.output_on_host)
        std::memcpy(out.as<float>() + k * params.chunk, run.host_scratch<float>(), bytes);
      else
        run.copy(out.as<float>() + k * params.chunk, buffer(k), bytes);
    }
  }

 private:
  std::uint64_t stride() const { return static_cast<std::uint64_t>(params.chunk + 15) / 16 * 16; }
};

constexpr int voxels = 1001;
constexpr std::uint64_t volume_bytes = voxels * sizeof(float);

class HostPorts : public ::testing::TestWithParam<bool> {
 protected:
  explicit HostPorts(std::uint64_t memory = most_device)
      : device_(memory, {kernel_apart<AddKernel>()}, GetParam()), allocator_(device_.host_allocator()) {
    isocenter_context_options o{};
    o.allocator = &allocator_;
    context_.emplace(test_context(o));
    register_operator<ChunkedAddOperator>(context_->get());
    device_.add_to(context_->get());
  }

  struct Result {
    std::vector<float> values;
    std::string report;
  };
  /// item + 1 + 2 through two nodes on the device.
  Result run(const ChunkedAdd::Params& first, const ChunkedAdd::Params& second, std::uint64_t budget = 0) {
    Pipeline pipeline(*context_);
    const auto source = pipeline.add<CountingSource>("source", {.count = 1, .nx = voxels});
    const auto one = pipeline.add<ChunkedAdd>("one", first);
    const auto two = pipeline.add<ChunkedAdd>("two", second);
    pipeline.connect(source.output, one.input);
    pipeline.connect(one.output, two.input);
    pipeline.add_output("out", two.output);
    SessionOptions options;
    options.device = "apart:0";
    options.memory_bytes = budget;
    Session session = pipeline.prepare(options);
    session.start();
    const auto item = session.pull("out");
    if (!item) session.wait();
    const Payload on_host = context_->copy_to(*item, "cpu");
    const auto v = on_host.tensor("voxels").span<const float>();
    return {{v.begin(), v.end()}, session.report()};
  }

  static constexpr std::uint64_t most_device = 1 << 20;
  SeparateDevice device_;
  isocenter_allocator allocator_;
  std::optional<Context> context_;
};
INSTANTIATE_TEST_SUITE_P(Orders, HostPorts, ::testing::Bool());

const std::vector<float> expected(voxels, 3.0F);

TEST_P(HostPorts, GiveTheSameWhicheverOfThemStayOnTheHost) {
  for (int kept = 0; kept < 16; ++kept) {
    const Result r = run({.input_on_host = (kept & 1) != 0, .output_on_host = (kept & 2) != 0},
                         {.added = 2, .input_on_host = (kept & 4) != 0, .output_on_host = (kept & 8) != 0});
    EXPECT_EQ(r.values, expected) << kept;
    const bool up = (kept & 1) == 0, between = ((kept & 2) != 0) != ((kept & 4) != 0);
    EXPECT_EQ(r.report.find("\"source.output->apart:0\"") != std::string::npos, up) << kept;
    EXPECT_EQ(r.report.find("\"one.output->") != std::string::npos, between) << kept;
  }
  EXPECT_GT(device_.kernels_run(), 16 * 20);
}

TEST_P(HostPorts, TakeNothingOfTheDevicesMemory) {
  const std::uint64_t scratch = 2 * 2 * 112 * sizeof(float);
  const Result r = run({}, {.added = 2});
  EXPECT_EQ(r.values, expected);
  EXPECT_EQ(device_.most_memory(), scratch);
  EXPECT_THAT(r.report, HasSubstr("\"apart:0\":" + std::to_string(scratch)));
  EXPECT_THAT(r.report, HasSubstr("\"cpu\":" + std::to_string(3 * volume_bytes + 2 * 112 * sizeof(float))));
}

TEST_P(HostPorts, LeaveTheBudgetOfTheDeviceToTheNode) {
  const std::uint64_t budget = 100000;
  run({}, {.added = 2}, budget);
  // "two" is planned last: the other node has its scratch there, and nothing else.
  EXPECT_EQ(ChunkedAdd::left_before, budget - 2 * 112 * sizeof(float) - volume_bytes);
  EXPECT_EQ(ChunkedAdd::left_after, budget - 2 * 112 * sizeof(float));
  EXPECT_EQ(ChunkedAdd::host_left, budget - 2 * volume_bytes - 112 * sizeof(float));
  EXPECT_THAT(error_of([&] { run({}, {.added = 2}, 3000); }), HasSubstr("on 'cpu'"));
}

/// Its memory does not hold one volume.
class HostPortsOfASmallDevice : public HostPorts {
 protected:
  HostPortsOfASmallDevice() : HostPorts(3000) {}
};
INSTANTIATE_TEST_SUITE_P(Orders, HostPortsOfASmallDevice, ::testing::Bool());

TEST_P(HostPortsOfASmallDevice, LeaveNoMoreThanThereIsWhereTheInputAloneIsMore) {
  EXPECT_EQ(run({}, {.added = 2}).values, expected);
  EXPECT_EQ(ChunkedAdd::left_before, 0U);
  EXPECT_EQ(ChunkedAdd::left_after, 3000 / 10 * 9 - 2 * 112 * sizeof(float));
}

TEST_P(HostPorts, RefuseAPortThatIsNotThere) {
  EXPECT_THAT(error_of([&] { run({.other_port = "voxels"}, {}); }),
              ::testing::AllOf(HasSubstr("test_chunked_add 'one'"), HasSubstr("'voxels'"), HasSubstr("Fix: ")));
}

}  // namespace
}  // namespace isocenter::testing
