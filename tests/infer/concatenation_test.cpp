// Concatenations whose parts are made in their place: dense blocks, skips and upsampling, against plain loops.
#include <gmock/gmock.h>

#include "fixture.hpp"
#include "infer/passes.hpp"
#include "infer/schedule.hpp"
#include "tiny_model.hpp"

namespace isocenter::infer::test {
namespace {

using namespace tiny;

std::vector<float> ramp(std::size_t count, float scale) {
  std::vector<float> v(count);
  for (std::size_t i = 0; i < count; ++i) v[i] = scale * (static_cast<float>((i * 7919) % 1013) / 1013 - 0.5F);
  return v;
}
OnnxModel parse(const std::string& bytes) {
  return parse_onnx({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()}, "concatenations", "");
}
std::string concat(const std::vector<std::string>& in, const std::string& out) {
  return node("Concat", in, out, field(5, field(1, "axis") + number(3, 1) + number(20, 2)));
}
std::string normalised(const std::string& in, const std::string& out, std::uint64_t channels) {
  return node("BatchNormalization", {in, out + "s", out + "t", out + "m", out + "v"}, out + "n") +
         node("Relu", {out + "n"}, out) + initialiser(out + "s", {channels}, floats(ramp(channels, 3))) +
         initialiser(out + "t", {channels}, floats(ramp(channels, 2))) +
         initialiser(out + "m", {channels}, floats(ramp(channels, 1))) +
         initialiser(out + "v", {channels}, floats(std::vector<float>(channels, 0.7F)));
}

/// Two layers of a dense block (G. Huang et al., CVPR 2017, eq. 2) of 8 channels each on a pooled input of 16.
OnnxModel dense_block() {
  const auto conv = [](const std::string& in, const std::string& out, std::uint64_t ins) {
    return node("Conv", {in, out + "w"}, out, ints("pads", {1, 1, 1, 1})) +
           initialiser(out + "w", {8, ins, 3, 3}, floats(ramp(8 * ins * 9, 0.4F)));
  };
  return parse(model(node("MaxPool", {"x"}, "p", ints("kernel_shape", {2, 2}) + ints("strides", {2, 2})) +
                     normalised("p", "a", 16) + conv("a", "c", 16) + concat({"p", "c"}, "pc") +
                     normalised("pc", "d", 24) + conv("d", "e", 24) + concat({"p", "c", "e"}, "pce") +
                     normalised("pce", "y", 32) + port(11, "x", {2, 16, 10, 14}) + port(12, "y", {2, 32, 5, 7})));
}

/// A skip that is pooled too, and what comes up by 2 x 3 from below.
OnnxModel skip_and_up() {
  return parse(model(node("MaxPool", {"x"}, "s", ints("kernel_shape", {3, 3}) + ints("pads", {1, 1, 1, 1})) +
                     node("MaxPool", {"s"}, "p", ints("kernel_shape", {2, 3}) + ints("strides", {2, 3})) +
                     node("ConvTranspose", {"p", "w", "b"}, "u", ints("strides", {2, 3})) + node("Relu", {"u"}, "r") +
                     concat({"s", "r"}, "c") + node("Conv", {"c", "v"}, "y") +
                     initialiser("w", {8, 16, 2, 3}, floats(ramp(8 * 16 * 6, 1))) +
                     initialiser("b", {16}, floats(ramp(16, 1))) +
                     initialiser("v", {4, 24, 1, 1}, floats(ramp(4 * 24, 1))) + port(11, "x", {2, 8, 6, 9}) +
                     port(12, "y", {2, 4, 6, 9})));
}

void expect_what_plain_loops_give(const OnnxModel& parsed, std::size_t inputs) {
  const auto x = ramp(inputs, 4);
  const auto expected = Runner(plan_cpu(lower(parsed, {}), {.reference = true})).run(x);
  for (const CpuOptions& engine :
       std::vector<CpuOptions>{{}, {.library = false}, {.optimise = false}, {.optimise = false, .library = false}}) {
    Runner runner(plan_cpu(lower(parsed, {}), engine));
    EXPECT_LT(relative_error(runner.run(x), expected), 1e-6);
    EXPECT_LT(relative_error(runner.run(x), expected), 1e-6) << "second run";
  }
}

TEST(Concatenations, ADenseBlockGivesWhatPlainLoopsGive) { expect_what_plain_loops_give(dense_block(), 2 * 16 * 140); }
TEST(Concatenations, ASkipAndAnUpsamplingGiveWhatPlainLoopsGive) {
  expect_what_plain_loops_give(skip_and_up(), 2 * 8 * 54);
}

TEST(Concatenations, ADenseBlockGrowsInOneBuffer) {
  Graph graph = lower(dense_block(), {});
  optimise(graph);
  const Schedule s = make_schedule(std::move(graph));
  std::vector<const Node*> found;
  for (const Node& n : s.graph.nodes)
    if (std::holds_alternative<Concat>(n.operation)) found.push_back(&n);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[1]->inputs[0], found[0]->output);  // not "p" and "c" again
  EXPECT_EQ(s.placement(found[0]->output).buffer, s.placement(found[1]->output).buffer);
  EXPECT_EQ(s.placement(found[0]->inputs[0]).buffer, s.placement(found[1]->output).buffer);  // the pooled input
  EXPECT_EQ(s.placement(found[0]->output).strides, s.placement(found[1]->output).strides);
}

TEST(Concatenations, WhatAnEngineWritesItselfIsMadeInItsPlace) {
  const auto upsampling = [](const Graph& graph, const Node& node, bool) { return is_upsampling(graph, node); };
  for (const bool into_parts : {false, true}) {
    Graph graph = lower(skip_and_up(), {});
    optimise(graph);
    const Schedule s = make_schedule(std::move(graph), {.writes_parts = into_parts ? +upsampling : nullptr});
    for (const Node& n : s.graph.nodes) {
      if (!std::holds_alternative<Concat>(n.operation)) continue;
      const Placement &whole = s.placement(n.output), &skip = s.placement(n.inputs[0]), &up = s.placement(n.inputs[1]);
      EXPECT_EQ(skip.buffer, whole.buffer);
      EXPECT_EQ(up.buffer == whole.buffer, into_parts);
      EXPECT_EQ(up.offset, into_parts ? 8 : 0);
    }
  }
}

}  // namespace
}  // namespace isocenter::infer::test
