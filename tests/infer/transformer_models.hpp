#pragma once
// What transformers are made of, as ONNX files of a few nodes: the attention of torch, MONAI and ONNX, and layer norms.
#include <numeric>

#include "fixture.hpp"
#include "tiny_model.hpp"

namespace isocenter::infer::test {

/// Numbers of -1 to 1 that repeat late, others for another seed.
inline std::vector<float> spread_numbers(std::int64_t count, int seed) {
  std::vector<float> v(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < v.size(); ++i)
    v[i] = static_cast<float>((i * 7919 + static_cast<std::size_t>(seed) * 104729) % 2003) / 1001 - 1;
  return v;
}

inline std::string integers(const std::string& name, const std::vector<std::int64_t>& values) {
  std::string raw(values.size() * sizeof(std::int64_t), '\0');
  std::memcpy(raw.data(), values.data(), raw.size());
  return tiny::initialiser(name, {values.size()}, raw, 7);
}
inline std::string reals(const std::string& name, const std::vector<std::uint64_t>& dims, int seed) {
  std::int64_t count = 1;
  for (const std::uint64_t d : dims) count *= static_cast<std::int64_t>(d);
  return tiny::initialiser(name, dims, tiny::floats(spread_numbers(count, seed)));
}
inline std::string scalar(const std::string& name, float v) { return tiny::initialiser(name, {}, tiny::floats({v})); }
inline std::string reshape(const std::string& from, const std::string& to, const std::vector<std::int64_t>& shape) {
  return tiny::node("Reshape", {from, to + "_shape"}, to) + integers(to + "_shape", shape);
}

/// A file from x to y.
inline std::string between(const std::string& nodes, const Shape& x, const Shape& y, std::uint64_t opset = 17) {
  return tiny::model(nodes + tiny::port(11, "x", x) + tiny::port(12, "y", y), opset);
}
inline Graph graph_of(const std::string& bytes) {
  return lower(parse_onnx({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()}, "transformer", ""), {});
}

/// q, k and v of x (windows, tokens, heads * depth), (windows, heads, tokens, depth) each, by constant weights.
inline std::string projections(std::int64_t windows, std::int64_t tokens, std::int64_t heads, std::int64_t depth,
                               const std::string& x = "x") {
  std::string nodes;
  const auto width = static_cast<std::uint64_t>(heads * depth);
  int seed = 1;
  for (const std::string name : {"q", "k", "v"})
    nodes += reals(name + "_weights", {width, width}, seed++) +
             tiny::node("MatMul", {x, name + "_weights"}, name + "_flat") +
             reshape(name + "_flat", name + "_heads", {windows, tokens, heads, depth}) +
             tiny::node("Transpose", {name + "_heads"}, name, tiny::ints("perm", {0, 2, 1, 3}));
  return nodes;
}
inline std::string merged_heads(std::int64_t windows, std::int64_t tokens, std::int64_t width,
                                const std::string& y = "y") {
  return tiny::node("Transpose", {"o"}, "o_tokens", tiny::ints("perm", {0, 2, 1, 3})) +
         reshape("o_tokens", y, {windows, tokens, width});
}

/// As MONAI's SwinUNETR is exported: scale on q, a bias for each head, and a mask for each of `masks` windows that is
/// added in five axes (0: none).
inline std::string window_attention(std::int64_t windows, std::int64_t tokens, std::int64_t heads, std::int64_t depth,
                                    std::int64_t masks) {
  const auto h = static_cast<std::uint64_t>(heads), t = static_cast<std::uint64_t>(tokens);
  std::string nodes = projections(windows, tokens, heads, depth) + scalar("scale", 0.35F) +
                      tiny::node("Mul", {"q", "scale"}, "q_scaled") +
                      tiny::node("Transpose", {"k"}, "k_turned", tiny::ints("perm", {0, 1, 3, 2})) +
                      tiny::node("MatMul", {"q_scaled", "k_turned"}, "scores") + reals("bias", {1, h, t, t}, 5) +
                      tiny::node("Add", {"scores", "bias"}, "biased");
  if (masks > 0)
    nodes += reals("mask", {1, static_cast<std::uint64_t>(masks), 1, t, t}, 6) +
             reshape("biased", "by_window", {windows / masks, masks, heads, tokens, tokens}) +
             tiny::node("Add", {"by_window", "mask"}, "masked") +
             reshape("masked", "ready", {windows, heads, tokens, tokens});
  nodes += tiny::node("Softmax", {masks > 0 ? "ready" : "biased"}, "weights") +
           tiny::node("MatMul", {"weights", "v"}, "o") + merged_heads(windows, tokens, heads * depth);
  return between(nodes, {windows, tokens, heads * depth}, {windows, tokens, heads * depth});
}

/// As torch's scaled_dot_product_attention is exported: the scale behind the product, a causal mask.
inline std::string scaled_attention(std::int64_t windows, std::int64_t tokens, std::int64_t heads, std::int64_t depth,
                                    bool masked) {
  const auto t = static_cast<std::uint64_t>(tokens);
  std::vector<float> mask(t * t);
  for (std::size_t i = 0; i < t; ++i)
    for (std::size_t j = i + 1; j < t; ++j) mask[i * t + j] = -INFINITY;
  std::string nodes = projections(windows, tokens, heads, depth) + scalar("root", 2.5F) +
                      tiny::node("Transpose", {"k"}, "k_turned", tiny::ints("perm", {0, 1, 3, 2})) +
                      tiny::node("MatMul", {"q", "k_turned"}, "scores") +
                      tiny::node("Div", {"scores", "root"}, "scaled");
  if (masked)
    nodes += tiny::initialiser("mask", {t, t}, tiny::floats(mask)) + tiny::node("Add", {"scaled", "mask"}, "masked");
  nodes += tiny::node("Softmax", {masked ? "masked" : "scaled"}, "weights") +
           tiny::node("MatMul", {"weights", "v"}, "o") + merged_heads(windows, tokens, heads * depth);
  return between(nodes, {windows, tokens, heads * depth}, {windows, tokens, heads * depth});
}

/// A layer norm over the last axis, by its operator or spelled out as torch does before opset 17.
inline std::string layer_norm(const Shape& shape, bool spelled_out) {
  const auto width = static_cast<std::uint64_t>(shape.back());
  const std::string parameters = reals("scale", {width}, 2) + reals("shift", {width}, 3);
  if (!spelled_out)
    return between(tiny::node("LayerNormalization", {"x", "scale", "shift"}, "y") + parameters, shape, shape);
  const std::string last = tiny::ints("axes", {static_cast<std::uint64_t>(shape.size() - 1)});
  return between(
      tiny::node("ReduceMean", {"x"}, "mean", last) + tiny::node("Sub", {"x", "mean"}, "centred") + scalar("two", 2) +
          tiny::node("Pow", {"centred", "two"}, "squared") + tiny::node("ReduceMean", {"squared"}, "variance", last) +
          scalar("epsilon", 1e-5F) + tiny::node("Add", {"variance", "epsilon"}, "sum") +
          tiny::node("Sqrt", {"sum"}, "deviation") + tiny::node("Div", {"centred", "deviation"}, "normal") +
          tiny::node("Mul", {"normal", "scale"}, "scaled") + tiny::node("Add", {"scaled", "shift"}, "y") + parameters,
      shape, shape);
}

/// One of each that a GPU's library may run, on a slice of 8 x 8: convolution, instance norm with ReLU, both pools,
/// layer norm, products with weights, attention.
inline std::string one_of_each() {
  using namespace tiny;
  const std::string near = ints("kernel_shape", {3, 3}) + ints("pads", {1, 1, 1, 1});
  return between(reals("w", {16, 1, 3, 3}, 1) + reals("scale", {16}, 2) + reals("shift", {16}, 3) +
                     reals("last", {1, 16, 1, 1}, 4) + reals("row_scale", {16}, 6) + reals("row_shift", {16}, 7) +
                     node("Conv", {"x", "w"}, "a", ints("pads", {1, 1, 1, 1})) +
                     node("InstanceNormalization", {"a", "scale", "shift"}, "b") + node("Relu", {"b"}, "c") +
                     node("MaxPool", {"c"}, "d", near) + node("AveragePool", {"d"}, "e", near) +
                     reshape("e", "f", {1, 16, 64}) + node("Transpose", {"f"}, "g", ints("perm", {0, 2, 1})) +
                     node("LayerNormalization", {"g", "row_scale", "row_shift"}, "tokens") +
                     projections(1, 64, 2, 8, "tokens") +
                     node("Transpose", {"k"}, "k_turned", ints("perm", {0, 1, 3, 2})) +
                     node("MatMul", {"q", "k_turned"}, "scores") + scalar("root", 2.5F) +
                     node("Div", {"scores", "root"}, "scaled") + node("Softmax", {"scaled"}, "weights") +
                     node("MatMul", {"weights", "v"}, "o") + merged_heads(1, 64, 16, "merged") +
                     node("Transpose", {"merged"}, "h", ints("perm", {0, 2, 1})) + reshape("h", "i", {1, 16, 8, 8}) +
                     node("Conv", {"i", "last"}, "y"),
                 {1, 1, 8, 8}, {1, 1, 8, 8});
}

template <class Operation>
int count_of(const Graph& graph) {
  int count = 0;
  for (const Node& node : graph.nodes) count += std::holds_alternative<Operation>(node.operation) ? 1 : 0;
  return count;
}

}  // namespace isocenter::infer::test
