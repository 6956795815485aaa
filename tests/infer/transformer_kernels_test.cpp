// What transformers run by on the CPU: attention without its scores in memory, layer norm and softmax along rows, what
// goes into matrix products. The truth is float64 by the definitions, or the graph in plain loops.
#include <gmock/gmock.h>

#include <array>
#include <limits>
#include <random>

#include "infer/attention.hpp"
#include "infer/map_rows.hpp"
#include "infer/onednn_steps.hpp"
#include "infer/passes.hpp"
#include "infer/rows.hpp"
#include "infer/storage.hpp"
#include "transformer_models.hpp"

namespace isocenter::infer::test {
namespace {

namespace kernels = isocenter::detail;

/// Numbers of -1 to 1, as float32 or bfloat16.
struct Numbers {
  Numbers(std::int64_t count, unsigned seed, bool in_16_bits) : narrow(in_16_bits) {
    std::mt19937 random(seed);
    for (std::int64_t i = 0; i < count; ++i) set(i, static_cast<float>(random() % 4001) / 2000.0F - 1.0F);
  }
  void set(std::int64_t i, float v) {
    if (i >= static_cast<std::int64_t>(wide.size()))
      wide.resize(static_cast<std::size_t>(i) + 1), bits.resize(wide.size());
    store(&bits[static_cast<std::size_t>(i)], v);
    wide[static_cast<std::size_t>(i)] =
        narrow ? kernels::load(kernels::Scalar{}, &bits[static_cast<std::size_t>(i)]) : v;
  }
  double at(std::int64_t i) const {
    return static_cast<double>(narrow ? kernels::load(kernels::Scalar{}, &bits[static_cast<std::size_t>(i)])
                                      : wide[static_cast<std::size_t>(i)]);
  }
  void* data() { return narrow ? static_cast<void*>(bits.data()) : wide.data(); }
  bool narrow;
  std::vector<float> wide;
  std::vector<kernels::bfloat16> bits;
};

struct AttentionCase {
  int batch, heads, queries, keys, depth, width;
  bool bias, narrow;
};

/// Tokens outside, heads inside, as a product of all heads leaves them.
void expect_attention(const AttentionCase& c, const kernels::AttentionVariant& variant) {
  const auto count = [&](int tokens, int elements) { return std::int64_t{c.batch} * tokens * c.heads * elements; };
  Numbers q(count(c.queries, c.depth), 1, c.narrow), k(count(c.keys, c.depth), 2, c.narrow),
      v(count(c.keys, c.width), 3, c.narrow), out(count(c.queries, c.width), 4, c.narrow),
      bias(std::int64_t{c.heads} * c.queries * c.keys, 5, false);
  if (c.keys > 1)
    for (std::int64_t i = 0; i < c.heads * c.queries; ++i) bias.set(i * c.keys + i % (c.keys - 1), -INFINITY);
  const auto values = [&](Numbers& n, std::int64_t tokens, std::int64_t elements) {
    return kernels::AttentionValues{n.data(), {tokens * c.heads * elements, elements, c.heads * elements, 1}};
  };
  kernels::AttentionProblem p{c.batch,
                              c.heads,
                              c.queries,
                              c.keys,
                              c.depth,
                              c.width,
                              1.5F,
                              c.narrow,
                              c.bias,
                              false,
                              values(q, c.queries, c.depth),
                              values(k, c.keys, c.depth),
                              values(v, c.keys, c.width),
                              {bias.data(), {0, std::int64_t{c.queries} * c.keys, c.keys, 1}},
                              values(out, c.queries, c.width)};
  std::vector<float> scratch(static_cast<std::size_t>(attention_scratch_bytes(p)) / sizeof(float) * 4 + 16, NAN);
  const std::int64_t blocks = std::int64_t{c.batch} * c.heads * ((c.queries + variant.lanes - 1) / variant.lanes);
  const auto aligned = (reinterpret_cast<std::uintptr_t>(scratch.data()) + 63) / 64 * 64;
  variant.run(p, 0, blocks, reinterpret_cast<std::byte*>(aligned));
  for (int b = 0; b < c.batch; ++b)
    for (int h = 0; h < c.heads; ++h)
      for (int i = 0; i < c.queries; ++i) {
        const auto place = [&](int token, int tokens, int elements) {
          return ((std::int64_t{b} * tokens + token) * c.heads + h) * elements;
        };
        std::vector<double> weights;
        double sum = 0;
        for (int j = 0; j < c.keys; ++j) {
          double score = 0;
          for (int d = 0; d < c.depth; ++d)
            score += q.at(place(i, c.queries, c.depth) + d) * k.at(place(j, c.keys, c.depth) + d);
          score = 1.5 * score + (c.bias ? bias.at((std::int64_t{h} * c.queries + i) * c.keys + j) : 0.0);
          weights.push_back(std::exp(score));
          sum += weights.back();
        }
        for (int e = 0; e < c.width; ++e) {
          double expected = 0;
          for (int j = 0; j < c.keys; ++j)
            expected += weights[static_cast<std::size_t>(j)] / sum * v.at(place(j, c.keys, c.width) + e);
          ASSERT_NEAR(out.at(place(i, c.queries, c.width) + e), expected, c.narrow ? 4e-3 : 2e-6)
              << b << " " << h << " " << i << " " << e << " of " << c.queries << " queries, " << c.keys << " keys, "
              << variant.lanes << " lanes";
        }
      }
}

std::vector<kernels::AttentionVariant> attention_variants() {
  std::vector<kernels::AttentionVariant> variants;
  if (!kernels::attention_runs_here()) return variants;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq"))
    variants.push_back(kernels::attention_avx512());
  variants.push_back(kernels::attention_avx2());
#endif
  return variants;
}

TEST(AttentionKernel, GivesTheDefinitionInEveryVariantAtOddSizes) {
  if (!kernels::attention_runs_here()) GTEST_SKIP() << "this processor has neither AVX-512 nor AVX2";
  for (const auto& variant : attention_variants())
    for (const bool narrow : {false, true})
      for (const AttentionCase& c : {AttentionCase{1, 1, 1, 1, 1, 1, false, narrow},
                                     {2, 3, 5, 7, 4, 3, true, narrow},
                                     {1, 2, 49, 257, 9, 17, true, narrow},  // two blocks of keys, the second of one
                                     {1, 1, 96, 600, 8, 8, true, narrow},   // three
                                     {2, 1, 17, 31, 64, 5, false, narrow}})
        expect_attention(c, variant);
}

TEST(AttentionKernel, GivesNoNumberWhereAllKeysAreMaskedForgetsAMaskedBlockAndTakesTheLowestNumberAsAScore) {
  if (!kernels::attention_runs_here()) GTEST_SKIP() << "this processor has neither AVX-512 nor AVX2";
  constexpr int keys = 300;
  constexpr float lowest = std::numeric_limits<float>::lowest();
  Numbers q(4, 1, false), k(keys, 2, false), v(keys, 3, false), out(4, 4, false), bias(4 * keys, 5, false);
  double mean = 0;
  for (int j = 0; j < keys; ++j) {
    bias.set(j, -INFINITY);                                // query 0: all
    bias.set(keys + j, j == keys - 1 ? 0.0F : -INFINITY);  // query 1: all but the last, which is in the second block
    bias.set(2 * keys + j, lowest);                        // query 2: a row of padding, as transformers mask it
    bias.set(3 * keys + j, j == keys - 1 ? -1.0e38F : lowest);  // query 3: the last is above the others
    mean += v.at(j) / keys;
  }
  const kernels::AttentionProblem p{1,
                                    1,
                                    4,
                                    keys,
                                    1,
                                    1,
                                    1.0F,
                                    false,
                                    true,
                                    false,
                                    {q.data(), {0, 0, 1, 1}},
                                    {k.data(), {0, 0, 1, 1}},
                                    {v.data(), {0, 0, 1, 1}},
                                    {bias.data(), {0, 0, keys, 1}},
                                    {out.data(), {0, 0, 1, 1}}};
  for (const auto& variant : attention_variants()) {
    std::vector<std::byte> scratch(static_cast<std::size_t>(attention_scratch_bytes(p)));
    variant.run(p, 0, 1, scratch.data());
    EXPECT_TRUE(std::isnan(out.at(0))) << variant.lanes;
    EXPECT_EQ(out.at(1), v.at(keys - 1)) << variant.lanes;
    EXPECT_NEAR(out.at(2), mean, 1e-6) << variant.lanes;
    EXPECT_EQ(out.at(3), v.at(keys - 1)) << variant.lanes;
  }
}

TEST(RowKernels, GiveLayerNormAndSoftmaxAtOddSizes) {
  for (const int count : {1, 3, 16, 31, 64, 100, 769})
    for (const bool narrow : {false, true}) {
      constexpr int rows = 3;
      Numbers in(rows * count, 1, narrow), out(rows * count, 2, narrow), scale(count, 3, false), shift(count, 4, false);
      kernels::run_layer_norm(
          {{in.data(), count, narrow}, {out.data(), count, narrow}, scale.wide.data(), shift.wide.data(), count, 1e-3F},
          0, rows);
      std::vector<float> soft(in.wide), logarithms(in.wide);
      kernels::run_softmax({soft.data(), soft.data(), count, false}, 0, rows);
      kernels::run_softmax({logarithms.data(), logarithms.data(), count, true}, 0, rows);
      for (int r = 0; r < rows; ++r) {
        double mean = 0, variance = 0, sum = 0;
        const auto x = [&](int i) { return in.at(r * count + i); };
        for (int i = 0; i < count; ++i) mean += x(i) / count;
        for (int i = 0; i < count; ++i) variance += (x(i) - mean) * (x(i) - mean) / count;
        for (int i = 0; i < count; ++i) sum += std::exp(x(i));
        for (int i = 0; i < count; ++i) {
          const double expected = (x(i) - mean) / std::sqrt(variance + 1e-3) * scale.at(i) + shift.at(i);
          const auto at = static_cast<std::size_t>(r * count + i);
          ASSERT_NEAR(out.at(r * count + i), expected, narrow ? 1e-2 : 3e-6) << count;
          ASSERT_NEAR(static_cast<double>(soft[at]), std::exp(x(i)) / sum, 1e-6) << count;
          ASSERT_NEAR(static_cast<double>(logarithms[at]), x(i) - std::log(sum), 3e-6) << count;
        }
      }
    }
}

/// The variants that this processor runs, the base last.
template <class Run>
std::vector<Run> those_here(const kernels::Variants<Run>& variants) {
  std::vector<Run> here;
#if defined(__x86_64__)
  if (const Run widest = kernels::widest_of(variants); widest == variants.avx512) here.push_back(widest);
  if (__builtin_cpu_supports("avx2")) here.push_back(variants.avx2);
#endif
  here.push_back(variants.base);
  return here;
}

template <class T>
std::vector<std::uint32_t> bits_of(const std::vector<T>& values) {
  std::vector<std::uint32_t> bits(values.size() * sizeof(T) / 4);
  std::memcpy(bits.data(), values.data(), bits.size() * 4);
  return bits;
}

TEST(RowKernels, GiveTheSameBitsOnEveryInstructionSet) {
  for (const bool narrow : {false, true})
    for (const int count : {1, 37, 200}) {
      Numbers in(count, 1, narrow), scale(count, 3, false), shift(count, 4, false);
      std::vector<std::vector<std::uint32_t>> norms, soft;
      for (const auto run : those_here(kernels::layer_norm_variants())) {
        std::vector<float> out(static_cast<std::size_t>(count));
        run({{in.data(), count, narrow},
             {out.data(), count, false},
             scale.wide.data(),
             shift.wide.data(),
             count,
             1e-3F},
            0, 1);
        norms.push_back(bits_of(out));
      }
      for (const auto run : those_here(kernels::softmax_variants())) {
        std::vector<float> out(in.wide);
        run({out.data(), out.data(), count, narrow}, 0, 1);
        soft.push_back(bits_of(out));
      }
      for (const auto& other : norms) EXPECT_EQ(other, norms.back()) << count;
      for (const auto& other : soft) EXPECT_EQ(other, soft.back()) << count;
    }
}

TEST(MapRows, GiveTheSameBitsOnEveryInstructionSetFromAndToEveryForm) {
  using Storage = kernels::MapOperand::Storage;
  constexpr int count = 531;  // more than a block, and no whole number of registers
  std::vector<std::uint32_t> numbers(count);
  for (int i = 0; i < count; ++i) {
    const float v = static_cast<float>(i * 7919 % 2003) / 400.0F - 2.5F;  // a register of two bfloat16 too
    std::memcpy(&numbers[static_cast<std::size_t>(i)], &v, sizeof v);
  }
  for (const Storage from : {Storage::float32, Storage::bfloat16, Storage::unsigned8, Storage::signed8})
    for (const Storage to : {Storage::float32, Storage::bfloat16, Storage::unsigned8, Storage::signed8})
      for (const Function f : {Function::identity, Function::sigmoid, Function::gelu, Function::add, Function::div}) {
        std::vector<std::vector<std::uint32_t>> results;
        for (const auto run : those_here(kernels::map_variants())) {
          std::vector<std::uint32_t> out(count);
          kernels::MapRows map;
          map.function = f;
          map.then = Function::tanh;
          map.inputs = arity_of(f);
          map.in[0] = map.in[1] = {numbers.data(), from, 0.03F, from == Storage::signed8 ? -5 : 131};
          map.out = {out.data(), to, 0.02F, to == Storage::signed8 ? 3 : 120};
          map.columns = count;
          run(map, 0, 0, count);
          results.push_back(out);
        }
        for (const auto& other : results) EXPECT_EQ(other, results.back()) << static_cast<int>(f);
        EXPECT_NE(results.back(), std::vector<std::uint32_t>(count));
      }
}

std::vector<float> result(Graph graph, const CpuOptions& options) {
  const auto x = spread_numbers(element_count(graph.value(graph.inputs[0]).shape), 9);
  return Runner(plan_cpu(std::move(graph), options)).run(x);
}

/// A Gaussian error linear unit as torch spells them before opset 20 (`order` 0), as ONNX Runtime's tools and MONAI's
/// exports do (1, 2), and with another number in the middle (3).
std::string gelu(int order, const std::string& x = "x", const std::string& y = "y") {
  using namespace tiny;
  const std::string numbers = scalar("root", 1.41421356F) + scalar("inverse", 0.70710678F) + scalar("one", 1.0F) +
                              scalar("half", order == 3 ? 0.4F : 0.5F);
  const std::string error = (order == 1 ? node("Mul", {x, "inverse"}, "scaled") : node("Div", {x, "root"}, "scaled")) +
                            node("Erf", {"scaled"}, "error") + node("Add", {"error", "one"}, "sum");
  if (order == 1) return numbers + error + node("Mul", {x, "half"}, "halved") + node("Mul", {"halved", "sum"}, y);
  if (order == 2) return numbers + error + node("Mul", {"half", "sum"}, "halved") + node("Mul", {x, "halved"}, y);
  return numbers + error + node("Mul", {x, "sum"}, "whole") + node("Mul", {"whole", "half"}, y);
}

TEST(ProductPasses, FindGelusHoweverTheyAreSpelledAndNothingElse) {
  for (const int order : {0, 1, 2, 3}) {
    const std::string file = between(gelu(order), {3, 50}, {3, 50});
    Graph graph = graph_of(file);
    fuse_gelus(graph);
    EXPECT_EQ(count_of<Map>(graph) == 1, order != 3) << order;
    EXPECT_LT(relative_error(result(graph, {}), result(graph_of(file), {.reference = true})), 1e-6) << order;
  }
}

TEST(ProductPasses, StandAChainOfProductsOfAnyLength) {
  Graph graph;
  graph.inputs = {graph.add_value({"x", ElementType::f32, {4}, std::nullopt})};
  for (ValueId last = 0; last < 300000;) {
    const ValueId next = graph.add_value({"", ElementType::f32, {4}, std::nullopt});
    graph.nodes.push_back({"", "Mul", Map{Function::mul, 0, 0, {}}, {last, 0}, next});
    last = next;
  }
  graph.outputs = {300000};
  fuse_gelus(graph);
  EXPECT_EQ(graph.nodes.size(), 300000U);
}

/// Attention of heads cut from one product of all (MONAI) or of one each, a residual, a layer norm, two products with
/// a unit between them, a residual.
std::string block(std::int64_t tokens, std::int64_t heads, std::int64_t depth, bool joined) {
  using namespace tiny;
  const std::int64_t width = heads * depth;
  const auto w = static_cast<std::uint64_t>(width);
  std::string nodes;
  if (joined) {
    nodes = reals("all_weights", {w, 3 * w}, 1) + node("MatMul", {"x", "all_weights"}, "all") +
            reshape("all", "split", {1, tokens, 3, heads, depth}) +
            node("Transpose", {"split"}, "turned", ints("perm", {2, 0, 3, 1, 4}));
    int index = 0;
    for (const std::string name : {"q", "k", "v"})
      nodes += initialiser(name + "_index", {}, std::string(1, static_cast<char>(index++)) + std::string(7, '\0'), 7) +
               node("Gather", {"turned", name + "_index"}, name);
  } else {
    nodes = projections(1, tokens, heads, depth);
  }
  return between(nodes + node("Transpose", {"k"}, "k_turned", ints("perm", {0, 1, 3, 2})) +
                     node("MatMul", {"q", "k_turned"}, "scores") + scalar("root_of_depth", 2.5F) +
                     node("Div", {"scores", "root_of_depth"}, "divided") + node("Softmax", {"divided"}, "weights") +
                     node("MatMul", {"weights", "v"}, "o") + merged_heads(1, tokens, width, "merged") +
                     reals("out_weights", {w, w}, 4) + node("MatMul", {"merged", "out_weights"}, "out") +
                     reals("out_bias", {w}, 5) + node("Add", {"out", "out_bias"}, "biased") +
                     node("Add", {"x", "biased"}, "a") +
                     node("LayerNormalization", {"a", "norm_scale", "norm_shift"}, "b") + reals("norm_scale", {w}, 6) +
                     reals("norm_shift", {w}, 7) + reals("up", {w, 4 * w}, 8) + node("MatMul", {"b", "up"}, "c") +
                     reals("up_bias", {4 * w}, 9) + node("Add", {"c", "up_bias"}, "f") + gelu(0, "f", "g") +
                     reals("down", {4 * w, w}, 10) + node("MatMul", {"g", "down"}, "d") + reals("down_bias", {w}, 11) +
                     node("Add", {"down_bias", "d"}, "e") + node("Add", {"e", "a"}, "y"),
                 {1, tokens, width}, {1, tokens, width});
}

/// The steps that a plan comes to, whatever its weights are.
int nodes_of(const std::string& file, const CpuOptions& options) {
  return plan_cpu(graph_of(file), options)->summary().nodes;
}

TEST(TransformerBlock, IsPlannedAsProductsAttentionAndNormAlone) {
  if (!kernels::attention_runs_here()) GTEST_SKIP() << "this processor has neither AVX-512 nor AVX2";
  // Layer norm in a shape of its own: two aliases beside it.
  EXPECT_EQ(nodes_of(block(19, 3, 5, false), {}), 3 + 1 + 1 + 3 + 2);
  EXPECT_EQ(nodes_of(block(19, 3, 5, true), {}), 1 + 1 + 1 + 3 + 2);
}

TEST(TransformerBlock, ComputesWhatItsOperatorsSayWithAnyNumberOfThreads) {
  for (const bool joined : {false, true})
    for (const std::int64_t tokens : {1, 19, 65}) {
      const std::string file = block(tokens, 3, 5, joined);
      const std::vector<float> expected = result(graph_of(file), {.reference = true});
      for (const CpuOptions& options :
           std::vector<CpuOptions>{{.threads = 1}, {.threads = 2}, {.library = false}, {.optimise = false}})
        EXPECT_LT(relative_error(result(graph_of(file), options), expected), 2e-6) << tokens << " " << joined;
      const auto one = result(graph_of(file), {.threads = 1});
      for (const int threads : {2, 3, 4}) EXPECT_EQ(result(graph_of(file), {.threads = threads}), one) << threads;
    }
}

TEST(TransformerBlock, ReadsAnAttentionThroughAnother) {
  using namespace tiny;
  // The first one's result is the second's queries or values, turned and cut into heads in between.
  for (const bool values : {false, true}) {
    const std::string file =
        between(projections(2, 19, 3, 5) + node("Transpose", {"k"}, "k_turned", ints("perm", {0, 1, 3, 2})) +
                    node("MatMul", {"q", "k_turned"}, "scores") + node("Softmax", {"scores"}, "weights") +
                    node("MatMul", {"weights", "v"}, "first") +
                    node("Transpose", {"first"}, "first_tokens", ints("perm", {0, 2, 1, 3})) +
                    reshape("first_tokens", "first_split", {2, 19, 3, 5}) +
                    node("Transpose", {"first_split"}, "again", ints("perm", {0, 2, 1, 3})) +
                    node("MatMul", {values ? "q" : "again", "k_turned"}, "scores_2") +
                    node("Softmax", {"scores_2"}, "weights_2") +
                    node("MatMul", {"weights_2", values ? "again" : "v"}, "o") + merged_heads(2, 19, 15),
                {2, 19, 15}, {2, 19, 15});
    EXPECT_LT(relative_error(result(graph_of(file), {}), result(graph_of(file), {.reference = true})), 2e-6) << values;
  }
}

TEST(TransformerBlock, StaysNearInSixteenBitsWithAnyNumberOfThreads) {
  if (!onednn_has_bfloat16()) GTEST_SKIP() << "this processor has no bfloat16";
  const std::string file = block(65, 3, 16, true);
  const std::vector<float> expected = result(graph_of(file), {.reference = true});
  const auto one = result(graph_of(file), {.precision = Precision::bfloat16, .threads = 1});
  EXPECT_LT(relative_error(one, expected), 0.01);
  EXPECT_GT(relative_error(one, expected), 1e-5) << "that is float32";
  for (const int threads : {2, 3, 4})
    EXPECT_EQ(result(graph_of(file), {.precision = Precision::bfloat16, .threads = threads}), one) << threads;
}

}  // namespace
}  // namespace isocenter::infer::test
