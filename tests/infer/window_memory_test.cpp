// What a session says of its memory holds when it runs, and neither windows nor threads change a result.
#include <gmock/gmock.h>

#include <algorithm>
#include <isocenter/infer/network_inference.hpp>
#include <isocenter/infer/segment_volume.hpp>
#include <isocenter/isocenter.hpp>

#include "device_test.hpp"
#include "fixture.hpp"
#include "infer/calibration.hpp"
#include "infer/onednn_steps.hpp"
#include "model_file.hpp"

namespace isocenter::infer::test {
namespace {

using isocenter::testing::context;
using isocenter::testing::error_of;
using ::testing::AllOf;
using ::testing::HasSubstr;

Graph with_ranges(Graph graph, const std::vector<float>& x) {
  Runner wide(plan_cpu(graph, {}));
  wide.executor().record_ranges();
  wide.run(x);
  graph.metadata[calibration_key] = wide.executor().recorded_ranges(99.99);
  return graph;
}

/// Runs in memory of exactly the bytes that the plan states, between bytes that nobody may touch.
void expect_arena_as_stated(const Fixture& f, Precision precision) {
  constexpr std::size_t guard = 1 << 16;
  constexpr auto untouched = std::byte{0xA5};
  const std::vector<float> x = read_floats(std::string(f.name) + ".input.f32");
  const auto executor = plan_cpu(with_ranges(load(f), x), {.precision = precision});
  const auto bytes = static_cast<std::size_t>(executor->summary().arena_bytes);
  std::vector<std::byte> memory(bytes + 2 * guard + 256, untouched);
  const std::size_t at = guard + (256 - reinterpret_cast<std::uintptr_t>(memory.data()) % 256) % 256;
  std::byte* const arena = memory.data() + at;
  executor->bind(arena);
  std::memcpy(arena + executor->inputs()[0].offset, x.data(), x.size() * sizeof(float));
  executor->run(nullptr);
  const auto changed = [&](std::byte b) { return b != untouched; };
  EXPECT_EQ(std::find_if(memory.data(), arena, changed), arena) << "before the arena";
  EXPECT_EQ(std::find_if(arena + bytes, memory.data() + memory.size(), changed), memory.data() + memory.size())
      << "behind the arena";
  // Nor is it larger than it has to be: what lies highest is padded to 256 bytes, and oneDNN's blocks to 16 channels.
  EXPECT_NE(std::find_if(arena + bytes - std::min<std::size_t>(bytes, 8192), arena + bytes, changed), arena + bytes);
}

class ArenaBytes : public ::testing::TestWithParam<Fixture> {};
INSTANTIATE_TEST_SUITE_P(Fixtures, ArenaBytes, ::testing::ValuesIn(fixtures),
                         [](const auto& i) { return std::string(i.param.name); });

TEST_P(ArenaBytes, AreThoseOfThePlanInEachPrecision) {
  expect_arena_as_stated(GetParam(), Precision::float32);
  if (onednn_has_bfloat16()) expect_arena_as_stated(GetParam(), Precision::bfloat16);
  if (onednn_has_int8()) expect_arena_as_stated(GetParam(), Precision::int8);
}

/// The number behind a key in a report, from the node `node` on.
std::int64_t number_of(const std::string& report, const std::string& node, const std::string& key) {
  std::size_t at = report.find("\"name\":\"" + node + "\"");
  at = report.find("\"" + key + "\":", at);
  if (at == std::string::npos) return -1;
  at += key.size() + 3;
  return std::stoll(report.substr(report[at] == '"' ? at + 1 : at));
}

template <class Op>
std::string report_for(typename Op::Params params, const Volume& described) {
  params.model = data_path("unet3d.onnx");
  Pipeline pipeline(context());
  const auto input = pipeline.add_input("input", described);
  const auto network = pipeline.add<Op>("network", params);
  pipeline.connect(input, network.input);
  pipeline.add_output("output", network.output);
  return pipeline.prepare().report();
}

/// Windows of 16^3 over the fixture network, whose spacing is 2 mm: turned, resampled or neither.
template <class Op>
void expect_memory_that_slices_do_not_change() {
  const auto described = [](std::int64_t nz) {
    return Volume::describe(40, 30, nz, Geometry::centred(40, 30, nz, {2, 2, 2}), "HU");
  };
  typename Op::Params params;
  params.window = {16, 16, 16};
  const std::string small = report_for<Op>(params, described(48));
  const std::string deep = report_for<Op>(params, described(96)), deeper = report_for<Op>(params, described(960));
  const std::int64_t scratch = number_of(small, "network", "scratch");
  EXPECT_GT(scratch, number_of(small, "network", "arena_bytes"));
  EXPECT_EQ(number_of(deep, "network", "scratch"), scratch);
  EXPECT_EQ(number_of(deeper, "network", "scratch"), scratch);
  EXPECT_EQ(number_of(deeper, "network", "arena_bytes"), number_of(small, "network", "arena_bytes"));
}

TEST(WindowBytes, DoNotGrowWithTheVolumesSlices) {
  expect_memory_that_slices_do_not_change<SegmentVolume>();
  expect_memory_that_slices_do_not_change<NetworkInference>();
}

TEST(WindowBytes, HoldTheArenaThatTheReportStates) {
  const Fixture& f = fixtures[0];
  NetworkInference::Params params;
  params.window = {20, 12, 16};
  const std::string report = report_for<NetworkInference>(
      params, Volume::describe(20, 12, 16, Geometry::centred(20, 12, 16, {2, 2, 2}), "HU"));
  EXPECT_EQ(number_of(report, "network", "arena_bytes"), plan_cpu(load(f), {})->summary().arena_bytes);
}

/// Overlapping windows over a volume that they do not divide, in contexts of 1, 2 and 3 threads.
TEST(WindowResults, AreTheSameBitsForEveryNumberOfThreads) {
  const auto v = noise(27 * 21 * 19);
  std::vector<float> one;
  for (const int threads : {1, 2, 3}) {
    isocenter_context_options options{};
    options.struct_size = sizeof options;
    options.module_path = ISOCENTER_MODULE_DIR;
    options.thread_count = threads;
    const Context own(options);
    const Payload out = apply<NetworkInference>(
        own, {.model = data_path("unet3d.onnx"), .window = {16, 16, 16}, .overlap = 0.5F, .intensity = "z_score"},
        volume(v, 27, 21, 19, {2.3, 1.8, 2.9}));
    const auto got = values<float>(out, "voxels");
    if (one.empty()) one = got;
    EXPECT_EQ(got, one) << threads << " threads";
  }
}

TEST(WrongTypes, OfAVolumeOrAModelAreRefusedBeforeAnythingRuns) {
  Volume whole = Volume::describe(8, 8, 8, Geometry(), "HU");
  std::vector<std::int16_t> v(512);
  whole.set_tensor("voxels", tensor(DType::int16, "zyx", {8, 8, 8}, v.data()));
  const ModelFile single(identity());
  EXPECT_THAT(error_of([&] {
                apply<SegmentVolume>(context(), {.model = single, .window = {8, 8, 8}}, whole);
              }),
              AllOf(HasSubstr("input 'input' holds int16"), HasSubstr("float32 is needed"), HasSubstr("Fix:")));
  using namespace tiny;
  // x: float64 (11 of TensorProto.DataType) and then int64 (7), five axes.
  for (const std::uint64_t type : {11, 7}) {
    std::string shape;
    for (const std::uint64_t extent : {1, 1, 8, 8, 8}) shape += field(1, number(1, extent));
    const auto typed = [&](int which, const std::string& name) {
      return field(which, field(1, name) + field(2, field(1, number(1, type) + field(2, shape))));
    };
    const ModelFile file(model(node("Identity", {"x"}, "y") + typed(11, "x") + typed(12, "y")));
    EXPECT_THAT(error_of([&] {
                  apply<NetworkInference>(context(), {.model = file, .window = {8, 8, 8}},
                                          volume(std::vector<float>(512), 8, 8, 8));
                }),
                AllOf(HasSubstr("input 'x' has 5 axes of " + std::string(type == 11 ? "float64" : "int64")),
                      HasSubstr("float32 (1, 1, z, y, x)"), HasSubstr("Fix:")));
  }
}

}  // namespace
}  // namespace isocenter::infer::test
