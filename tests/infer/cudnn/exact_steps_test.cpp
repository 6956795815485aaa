// What CUDA's engine runs by indices of the data, in every element type and in parallel, held to the plain loops over
// odd sizes. Kernels run as single lanes on the CPU, in memory that is shut while none of them runs and whose blocks
// end where pages end.
#include <gmock/gmock.h>

#include <random>

#include "fixture.hpp"
#include "host_convolutions.hpp"
#include "infer/along_axis.hpp"
#include "infer/cuda/cuda_executor.hpp"
#include "infer/exact_map.hpp"
#include "infer/exact_reductions.hpp"
#include "infer/exact_windows.hpp"
#include "infer/live_indices.hpp"
#include "infer/sorted_positions.hpp"
#include "infer/suppression.hpp"
#include "separate_device.hpp"

namespace isocenter::infer::test {
namespace {

namespace kernels = isocenter::detail;
using isocenter::testing::Arena;
using ::testing::HasSubstr;
using Bytes = std::vector<std::byte>;

template <class K>
int enqueue_in(const void* args, std::int64_t nx, std::int64_t ny, std::int64_t nz, void* stream) {
  const K kernel = *static_cast<const K*>(args);
  auto& memory = *static_cast<Arena*>(stream);
  memory.open(true);
  for (std::int64_t z = 0; z < nz; ++z)
    for (std::int64_t y = 0; y < ny; ++y)
      for (std::int64_t x = 0; x < nx; ++x)
        kernel(kernels::Scalar{}, static_cast<int>(x), static_cast<int>(y), static_cast<int>(z));
  memory.open(false);
  return 0;
}

template <class... K>
const void* find_among(const char* name) {
  static const kernels::DeviceKernel table[] = {{K::name, sizeof(K), &enqueue_in<K>}...};
  for (const auto& k : table)
    if (std::strcmp(k.name, name) == 0) return &k;
  return nullptr;
}

const void* find_kernel(void*, const char* name) {
  return find_among<kernels::ExactMapKernel, kernels::PickKernel, kernels::ExactReduceKernel,
                    kernels::ExactSoftmaxKernel, kernels::ExactCumulativeSumKernel, kernels::ExactNormaliseKernel,
                    kernels::ExactConvolutionKernel, kernels::ExactPoolKernel, kernels::MaxPositionsKernel,
                    kernels::ColumnsToImageKernel, kernels::ExactProductKernel, kernels::ExactResampleKernel,
                    kernels::GatherIndexedKernel, kernels::GatherPositionsKernel, kernels::ScatterTargetsKernel,
                    kernels::ScatterKernel, kernels::ReverseSequenceKernel, kernels::SortPositionsKernel,
                    kernels::SortedPositionsKernel, kernels::SuppressionBlockKernel, kernels::SuppressionKeepKernel,
                    kernels::SelectedRowsKernel, kernels::TopPositionsKernel>(name);
}

class NoRecording final : public DeviceQueue {
 public:
  void make_current() override {}
  bool begin_recording(void*) override { return false; }
  std::unique_ptr<Recording> end_recording(void*) override { return nullptr; }
};

/// The first output of a graph as CUDA's engine gives it; its notes are looked at as operators do.
Bytes run_apart(Graph graph, const std::vector<Bytes>& inputs) {
  Arena memory;
  memory.open(false);
  CudaEngineRequest request;
  request.graph = std::move(graph);
  request.launcher.find = &find_kernel;
  request.user = &memory;
  request.upload = [](void* user, const void* data, std::size_t bytes) {
    auto& to = *static_cast<Arena*>(user);
    auto* block = static_cast<std::byte*>(to.allocate(std::max<std::size_t>(bytes, 1)));
    to.open(true);
    std::memcpy(block, data, bytes);
    to.open(false);
    return block;
  };
  const auto executor =
      plan_with_cudnn(request, std::make_shared<HostConvolutions>(nullptr), std::make_unique<NoRecording>());
  auto* arena = static_cast<std::byte*>(memory.allocate(static_cast<std::size_t>(executor->summary().arena_bytes)));
  executor->bind(arena);
  memory.open(true);
  for (std::size_t i = 0; i < inputs.size(); ++i)
    std::memcpy(arena + executor->inputs()[i].offset, inputs[i].data(), inputs[i].size());
  memory.open(false);
  executor->run(&memory);
  memory.open(true);
  const Executor::Notes notes = executor->notes();
  if (!notes.words.empty()) std::memcpy(notes.words.data(), arena + notes.offset, notes.words.size_bytes());
  const Port& out = executor->outputs()[0];
  const std::byte* first = arena + out.offset;
  Bytes result(first, first + element_count(out.shape) * bytes_of(out.type));
  executor->check_notes();
  return result;
}

Bytes run_in_plain_loops(const Graph& graph, const std::vector<Bytes>& inputs) {
  Runner runner(plan_cpu(graph, {.reference = true}));
  for (std::size_t i = 0; i < inputs.size(); ++i) std::memcpy(runner.input(i), inputs[i].data(), inputs[i].size());
  runner.executor().run(nullptr);
  const Port& out = runner.executor().outputs()[0];
  const auto* first = reinterpret_cast<const std::byte*>(runner.output());
  return {first, first + element_count(out.shape) * bytes_of(out.type)};
}

struct Input {
  ElementType type;
  Shape shape;
};

Graph graph_of(Operation operation, const std::vector<Input>& inputs, ElementType type, Shape out) {
  Graph g;
  g.source = "test.onnx";
  Node node{"it", "It", std::move(operation), {}, no_value};
  for (const Input& in : inputs) {
    node.inputs.push_back(g.add_value({"in", in.type, in.shape, std::nullopt}));
    g.inputs.push_back(node.inputs.back());
  }
  node.output = g.add_value({"out", type, std::move(out), std::nullopt});
  g.outputs.push_back(node.output);
  g.nodes.push_back(std::move(node));
  return g;
}

class ExactSteps : public ::testing::Test {
 protected:
  std::int64_t below(std::int64_t n) { return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n)); }
  /// Small numbers, many of them equal, -1 among them where the type has it.
  Bytes values(const Input& in, int different = 7) {
    Array a(in.type, in.shape);
    for (std::int64_t i = 0; i < a.count(); ++i)
      a.set_real(i, static_cast<double>(below(different)) - (is_floating(in.type) ? 1.0 : 0.0));
    return {a.data(), a.data() + a.bytes()};
  }
  /// Each in [-extent, extent), for the axes that `extents` has by turns.
  Bytes indices(const Input& in, const Shape& extents) {
    Array a(in.type, in.shape);
    for (std::int64_t i = 0; i < a.count(); ++i) {
      const std::int64_t extent = extents[static_cast<std::size_t>(i) % extents.size()];
      a.set_integer(i, below(2 * extent) - extent);
    }
    return {a.data(), a.data() + a.bytes()};
  }
  static void expect_plain_loops(const Graph& graph, const std::vector<Bytes>& in, const std::string& what) {
    ASSERT_EQ(run_apart(graph, in), run_in_plain_loops(graph, in)) << what;
  }
  std::mt19937_64 random{5};
};

constexpr ElementType types[] = {ElementType::f32, ElementType::f64, ElementType::f16,    ElementType::i64,
                                 ElementType::i32, ElementType::u8,  ElementType::boolean};

TEST_F(ExactSteps, GatheringByLiveIndicesIsThatOfThePlainLoops) {
  for (const ElementType type : types)
    for (const ElementType index : {ElementType::i64, ElementType::i32}) {
      const Input data{type, {3, 5, 7}}, at{index, {2, 9}}, each{index, {3, 4, 6}}, places{index, {3, 11, 2}};
      const std::vector<Bytes> one{values(data, 90), indices(at, {5})};
      expect_plain_loops(graph_of(Loops{GatherIndexed{1, false}}, {data, at}, type, {3, 2, 9, 7}), one, "Gather");
      const std::vector<Bytes> two{values(data, 90), indices(each, {5})};
      expect_plain_loops(graph_of(Loops{GatherIndexed{1, true}}, {data, each}, type, each.shape), two, "elements");
      const std::vector<Bytes> three{values(data, 90), indices(places, {3, 5})};
      expect_plain_loops(graph_of(Loops{GatherPositions{0}}, {data, places}, type, {3, 11, 7}), three, "GatherND");
      const std::vector<Bytes> four{values(data, 90), indices(places, {5, 7})};
      expect_plain_loops(graph_of(Loops{GatherPositions{1}}, {data, places}, type, {3, 11}), four, "in batches");
    }
}

TEST_F(ExactSteps, ScatteringCombinesWhatMeetsInTheOrderOfThePlainLoops) {
  for (const ElementType type : types)
    for (const Combine how : {Combine::replace, Combine::add, Combine::multiply, Combine::max, Combine::min}) {
      const Input data{type, {4, 5, 3}}, at{ElementType::i64, {3, 17, 2}}, updates{type, {3, 17, 2}};
      expect_plain_loops(graph_of(Loops{ScatterElements{1, how}}, {data, at, updates}, type, data.shape),
                         {values(data), indices(at, {5}), values(updates)}, "elements");
      const Input places{ElementType::i32, {37, 2}}, blocks{type, {37, 3}};
      expect_plain_loops(graph_of(Loops{ScatterPositions{how}}, {data, places, blocks}, type, data.shape),
                         {values(data), indices(places, {4, 5}), values(blocks)}, "ScatterND");
    }
}

TEST_F(ExactSteps, ReversingIsThatOfThePlainLoops) {
  for (const ElementType type : types) {
    const Input data{type, {7, 3, 5}}, lengths{ElementType::i64, {3}};
    expect_plain_loops(graph_of(Loops{ReverseSequence{1, 0}}, {data, lengths}, type, data.shape),
                       {values(data, 90), values(lengths, 9)}, "ReverseSequence");
  }
}

TEST_F(ExactSteps, AnIndexOutsideIsRefusedByTheNodesNameWithItsPlaceAndValueAndTouchesNothing) {
  const auto refusal = [](const Graph& graph, const std::vector<Bytes>& in) -> std::string {
    try {
      run_apart(graph, in);
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  };
  const Input data{ElementType::f32, {4, 6}}, at{ElementType::i64, {3, 2}}, updates{ElementType::f32, {3, 2}};
  Array bad(at.type, at.shape);  // (row, column) pairs: the third row's column lies outside
  for (const auto& [i, v] : std::vector<std::pair<std::int64_t, std::int64_t>>{{0, 1}, {3, -6}, {5, 1000000}})
    bad.set_integer(i, v);
  const Bytes places{bad.data(), bad.data() + bad.bytes()};
  const std::string where = "position 1000000 of ";
  const Graph by_element = graph_of(Loops{GatherIndexed{1, true}}, {data, at}, data.type, at.shape),
              whole = graph_of(Loops{GatherIndexed{1, false}}, {data, at}, data.type, {4, 3, 2}),
              positions = graph_of(Loops{GatherPositions{0}}, {data, at}, data.type, {3}),
              scatter = graph_of(Loops{ScatterElements{1, Combine::add}}, {data, at, updates}, data.type, data.shape);
  for (const Graph* g : {&by_element, &whole, &positions})
    EXPECT_THAT(
        refusal(*g, {values(data), places}),
        ::testing::AllOf(HasSubstr("test.onnx: node 'it' (It)"), HasSubstr(where + "6 (element 5 of its indices)")));
  EXPECT_THAT(refusal(scatter, {values(data), places, values(updates)}), HasSubstr(where + "6 (element 5"));
  bad.set_integer(2, -5);
  EXPECT_THAT(refusal(positions, {values(data), {bad.data(), bad.data() + bad.bytes()}}),
              HasSubstr("position -5 of 4 (element 2"));
  for (const std::int64_t far : {std::int64_t{1} << 40, -(std::int64_t{1} << 40)}) {  // a note holds 32 bits of it
    bad.set_integer(2, far);
    EXPECT_THAT(refusal(positions, {values(data), {bad.data(), bad.data() + bad.bytes()}}),
                HasSubstr(far > 0 ? "position 2147483647 or above of 4" : "position -2147483648 or below of 4"));
  }
  try {
    run_in_plain_loops(whole, {values(data), places});
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("node 'it' (It) gathers or scatters at " + where + "6"));
  }
}

TEST_F(ExactSteps, SortingGivesTheBestPositionsOfThePlainLoopsTiesAndNaNAmongThem) {
  for (const ElementType type : {ElementType::f32, ElementType::f16, ElementType::i32, ElementType::u64})
    for (const std::int64_t extent : {1, 33, 64, 257})
      for (const bool largest : {true, false}) {
        const Input data{type, {2, extent, 3}};
        Bytes x = values(data, 40);
        if (type == ElementType::f32)
          for (std::int64_t i = 0; i < 6 * extent; i += 29) write_real(type, x.data(), i, NAN);
        if (type == ElementType::u64) write_integer(type, x.data(), extent, -1);
        const std::int64_t best = 1 + below(extent);
        expect_plain_loops(graph_of(Loops{TopPositions{1, largest}}, {data}, ElementType::i64, {2, best, 3}), {x},
                           std::string(name_of(type)) + " of " + std::to_string(extent));
      }
}

TEST_F(ExactSteps, SuppressionInParallelKeepsTheBoxesOfThePlainLoopsTiesAmongThem) {
  for (int round = 0; round < 24; ++round) {
    const std::int64_t images = 1 + below(2), classes = 1 + below(3), count = 1 + below(round < 20 ? 90 : 700);
    const Suppression what{1 + below(count), static_cast<double>(below(5)) / 4, 2.0, below(2) == 0};
    const Input boxes{ElementType::f32, {images, count, 4}}, scores{ElementType::f32, {images, classes, count}};
    Graph g = graph_of(Loops{TopPositions{2, true}}, {scores}, ElementType::i64, scores.shape);
    const ValueId x = g.add_value({"x", boxes.type, boxes.shape, std::nullopt});
    const ValueId y = g.add_value({"y", ElementType::i64, {images * classes * what.most, 3}, std::nullopt});
    g.nodes.push_back({"it", "It", Loops{what}, {x, g.inputs[0], g.outputs[0]}, y});
    g.inputs.push_back(x);
    g.outputs = {y};
    Bytes given = values(scores, 30);
    write_real(scores.type, given.data(), below(count), NAN);
    expect_plain_loops(g, {given, values(boxes, round % 2 == 0 ? 12 : 60)}, "round " + std::to_string(round));
  }
}

TEST_F(ExactSteps, OtherElementTypesAndLiveWeightsGiveWhatThePlainLoopsGive) {
  const Input x{ElementType::f16, {2, 4, 5, 7}}, w{ElementType::f16, {6, 2, 3, 3}}, b{ElementType::f16, {6}};
  Convolution conv;
  conv.window = {{3, 3}, {2, 1}, {1, 2}, {1, 2}, {1, 2}};
  conv.groups = 2;
  conv.bias = true;
  expect_plain_loops(graph_of(conv, {x, w, b}, x.type, {2, 6, 3, 7}), {values(x), values(w), values(b)}, "Conv");
  for (const auto kind : {Pool::Kind::max, Pool::Kind::average})
    expect_plain_loops(graph_of(Pool{kind, {{3, 2}, {2, 2}, {1, 1}, {1, 0}, {1, 1}}, false}, {x}, x.type, {2, 4, 3, 4}),
                       {values(x)}, "pool");
  const Input flags{ElementType::i32, {3, 5, 7}};
  for (const auto kind :
       {Reduction::Kind::sum, Reduction::Kind::product, Reduction::Kind::max, Reduction::Kind::arg_min})
    expect_plain_loops(graph_of(Reduction{kind, {0, 2}}, {flags},
                                kind == Reduction::Kind::arg_min ? ElementType::i64 : flags.type, {1, 5, 1}),
                       {values(flags)}, "reduction");
  const Input a{ElementType::i8, {3, 1, 5, 7}}, c{ElementType::i8, {4, 7, 9}};
  expect_plain_loops(graph_of(MatrixProduct{}, {a, c}, ElementType::i32, {3, 4, 5, 9}), {values(a), values(c)},
                     "product");
  expect_plain_loops(graph_of(Normalisation{2, 1e-3F, {}}, {x, {x.type, {4}}, {x.type, {4}}}, x.type, x.shape),
                     {values(x), values({x.type, {4}}), values({x.type, {4}})}, "normalisation");
}

}  // namespace
}  // namespace isocenter::infer::test
