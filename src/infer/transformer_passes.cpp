// What transformers are made of, found among the matrix products, maps and reductions that a file spells it out in.
#include <algorithm>
#include <optional>

#include "infer/passes.hpp"

namespace isocenter::infer {
namespace {

/// How often each value is read, and which node makes it.
class Links {
 public:
  explicit Links(Graph& graph) : graph_(graph), reads_(graph.values.size()), maker_(graph.values.size(), -1) {
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      for (const ValueId id : graph.nodes[i].inputs) ++reads_[at(id)];
      maker_[at(graph.nodes[i].output)] = static_cast<int>(i);
    }
    for (const ValueId id : graph.outputs) ++reads_[at(id)];
  }
  const Node* maker(ValueId id) const {
    return maker_[at(id)] < 0 ? nullptr : &graph_.nodes[static_cast<std::size_t>(maker_[at(id)])];
  }
  /// The maker of a value that is read as often as given.
  const Node* maker(ValueId id, int reads) const { return reads_[at(id)] == reads ? maker(id) : nullptr; }
  template <class Operation>
  const Node* made_by(ValueId id, int reads) const {
    const Node* node = maker(id, reads);
    return node != nullptr && std::holds_alternative<Operation>(node->operation) ? node : nullptr;
  }
  /// A node whose map is this function alone.
  const Node* map(ValueId id, Function function, int reads = 1) const {
    const Node* node = made_by<Map>(id, reads);
    if (node == nullptr) return nullptr;
    const Map& m = std::get<Map>(node->operation);
    return m.function == function && m.then.none() ? node : nullptr;
  }

 private:
  static std::size_t at(ValueId id) { return static_cast<std::size_t>(id); }
  Graph& graph_;
  std::vector<int> reads_, maker_;
};

std::optional<double> scalar(const Graph& g, ValueId id) {
  const Value& v = g.value(id);
  if (!v.constant || v.constant->count() != 1) return std::nullopt;
  return v.constant->real(0);
}

std::int64_t product_of(Shape::const_iterator begin, Shape::const_iterator end) {
  std::int64_t all = 1;
  for (; begin != end; ++begin) all *= *begin;
  return all;
}

/// Nodes that are put in front of others, once all are found.
struct Insertions {
  Graph& graph;
  std::vector<Node> nodes;
  std::string name;

  ValueId add(Operation operation, std::vector<ValueId> inputs, Shape shape) {
    const ValueId made = graph.add_value({name, ElementType::f32, std::move(shape), std::nullopt});
    nodes.push_back({name, "Attention", std::move(operation), std::move(inputs), made});
    return made;
  }
  ValueId alias(ValueId id, Shape shape) {
    if (graph.value(id).shape == shape) return id;
    if (graph.value(id).constant)
      return graph.add_value({name, ElementType::f32, shape, graph.value(id).constant->reshaped(shape)});
    return add(Alias{}, {id}, std::move(shape));
  }
};

/// What is added to the scores, seen in the shape that they have there.
struct ScoreBias {
  ValueId value;
  Shape scores;
};

struct FoundAttention {
  const Node *scores = nullptr, *weighted = nullptr;  ///< the two products
  double scale = 1.0;
  std::vector<ScoreBias> biases;
};

/// From the product with the values back to the one of queries and keys.
std::optional<FoundAttention> find_attention(const Graph& g, const Links& links, const Node& node) {
  const auto* weighted = std::get_if<MatrixProduct>(&node.operation);
  if (weighted == nullptr || weighted->transpose_a || weighted->transpose_b || weighted->bias ||
      g.value(node.output).type != ElementType::f32 || element_count(g.value(node.output).shape) == 0)
    return std::nullopt;
  FoundAttention found;
  found.weighted = &node;
  const auto through_aliases = [&](ValueId id) {
    const Node* maker = links.maker(id, 1);
    while (maker != nullptr && std::holds_alternative<Alias>(maker->operation))
      maker = links.maker(maker->inputs[0], 1);
    return maker;
  };
  const Node* at = through_aliases(node.inputs[0]);
  const auto* softmax = at == nullptr ? nullptr : std::get_if<Softmax>(&at->operation);
  if (softmax == nullptr || softmax->log || softmax->axis + 1 != static_cast<int>(g.value(at->output).shape.size()))
    return std::nullopt;
  const std::int64_t keys = g.value(at->output).shape.back();
  for (at = through_aliases(at->inputs[0]); at != nullptr;) {
    const Shape& shape = g.value(at->output).shape;
    if (shape.empty() || shape.back() != keys) return std::nullopt;
    if (std::holds_alternative<MatrixProduct>(at->operation)) {
      found.scores = at;
      break;
    }
    const auto* map = std::get_if<Map>(&at->operation);
    if (map == nullptr || !map->then.none() || at->inputs.size() != 2) return std::nullopt;
    // The side that the scores come from has their shape, and a product behind it.
    const bool second = map->function != Function::div && g.value(at->inputs[0]).shape != shape;
    const ValueId from = at->inputs[second ? 1 : 0], other = at->inputs[second ? 0 : 1];
    if (g.value(from).shape != shape || g.value(from).constant) return std::nullopt;
    const auto factor = scalar(g, other);
    if (map->function == Function::add && found.scale == 1.0)  // a factor behind a sum would be the bias' too
      found.biases.push_back({other, shape});
    else if (map->function == Function::mul && factor)
      found.scale *= *factor;
    else if (map->function == Function::div && factor && *factor != 0)
      found.scale /= *factor;
    else
      return std::nullopt;
    at = through_aliases(from);
  }
  if (found.scores == nullptr) return std::nullopt;
  return found;
}

/// The bias' extents where the scores' leading axes are those of `to`: axes may be split where the bias does not change
/// along them.
std::optional<Shape> bias_extents(const Graph& g, const ScoreBias& bias, const Shape& to) {
  Shape own = g.value(bias.value).shape;
  const Shape& from = bias.scores;
  if (own.size() > from.size()) return std::nullopt;
  own.insert(own.begin(), from.size() - own.size(), 1);
  Shape out;
  std::size_t j = 0;
  for (std::size_t i = 0; i < from.size(); ++i) {
    const std::size_t first = j;
    std::int64_t covered = 1;
    while (j < to.size() && (covered < from[i] || (first == j && to[j] == from[i]))) covered *= to[j++];
    if (covered != from[i]) return std::nullopt;
    const bool whole = j == first + 1;
    if (!whole && own[i] != 1) return std::nullopt;
    for (std::size_t k = first; k < j; ++k) out.push_back(whole ? own[i] : 1);
  }
  return j == to.size() ? std::optional(out) : std::nullopt;
}

/// One bias of four axes (1 or batch, 1 or heads, queries, keys), and how the scores' leading axes are shared out
/// between batch and heads; nothing where they cannot be.
struct OneBias {
  ValueId value = no_value;
  std::int64_t batch = 1, heads = 1;
};
std::optional<OneBias> join_biases(Insertions& to, const FoundAttention& found, const Shape& scores) {
  const Graph& g = to.graph;
  OneBias one;
  const auto lead = scores.end() - 2;
  if (found.biases.empty()) {
    one.heads = scores.size() > 2 ? *(lead - 1) : 1;
    one.batch = product_of(scores.begin(), lead) / one.heads;
    return one;
  }
  const Shape shape = std::max_element(found.biases.begin(), found.biases.end(), [](const auto& a, const auto& b) {
                        return a.scores.size() < b.scores.size();
                      })->scores;
  std::vector<Shape> extents;
  Shape sum(shape.size(), 1);
  for (const ScoreBias& bias : found.biases) {
    const auto own = bias_extents(g, bias, shape);
    if (!own) return std::nullopt;
    for (std::size_t k = 0; k < sum.size(); ++k) sum[k] = std::max(sum[k], (*own)[k]);
    extents.push_back(*own);
  }
  const std::size_t axes = shape.size() - 2;
  if (sum[axes] != shape[axes] || sum[axes + 1] != shape[axes + 1]) return std::nullopt;
  // Leading axes along which the bias changes have to lie together, at the end or at the beginning.
  std::size_t first = 0, last = axes;
  while (first < axes && sum[first] == 1) ++first;
  while (last > first && sum[last - 1] == 1) --last;
  const auto end = sum.begin() + static_cast<std::ptrdiff_t>(last);
  if (!std::equal(sum.begin() + static_cast<std::ptrdiff_t>(first), end,
                  shape.begin() + static_cast<std::ptrdiff_t>(first)))
    return std::nullopt;
  const auto count = [&](std::size_t a, std::size_t b) {
    return product_of(shape.begin() + static_cast<std::ptrdiff_t>(a), shape.begin() + static_cast<std::ptrdiff_t>(b));
  };
  Shape four{1, 1, shape[axes], shape[axes + 1]};
  if (first == axes || last == axes) {  // not at all, or at the end: heads
    one.batch = count(0, first);
    one.heads = four[1] = count(first, axes);
    if (first == axes) {
      one.heads = axes > 0 ? shape[axes - 1] : 1;
      one.batch /= one.heads;
    }
  } else if (first == 0) {
    one.batch = four[0] = count(0, last);
    one.heads = count(last, axes);
  } else {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < extents.size(); ++i) {
    const ValueId own = to.alias(found.biases[i].value, extents[i]);
    one.value = one.value == no_value ? own : to.add(Map{Function::add, 0, 0, {}}, {one.value, own}, sum);
  }
  one.value = to.alias(one.value, four);
  return one;
}

/// The nodes that take the place of the weighted product; none where the shapes do not fit.
std::vector<Node> attention_nodes(Graph& g, const FoundAttention& found) {
  const auto& product = std::get<MatrixProduct>(found.scores->operation);
  if (product.transpose_a || product.bias) return {};
  const ValueId q = found.scores->inputs[0], v = found.weighted->inputs[1];
  ValueId k = found.scores->inputs[1];
  const Shape sq = g.value(q).shape, sk = g.value(k).shape, sv = g.value(v).shape,
              so = g.value(found.weighted->output).shape;
  const Shape scores = g.value(found.scores->output).shape;
  if (sq.size() < 2 || sk.size() != sq.size() || g.value(k).constant || g.value(v).constant) return {};
  const std::int64_t matrices = product_of(scores.begin(), scores.end() - 2), queries = sq[sq.size() - 2],
                     depth = sq.back(), keys = scores.back(), width = sv.back();
  // No factor is broadcast.
  if (element_count(sq) != matrices * queries * depth || element_count(sk) != matrices * keys * depth ||
      element_count(sv) != matrices * keys * width || element_count(so) != matrices * queries * width)
    return {};
  Insertions made{g, {}, found.weighted->name};
  const auto bias = join_biases(made, found, scores);
  if (!bias || bias->batch * bias->heads != matrices) return {};
  if (!product.transpose_b) {
    Copy swap;
    for (std::size_t axis = 0; axis < sk.size(); ++axis) swap.axes.push_back(static_cast<int>(axis));
    std::swap(swap.axes[sk.size() - 1], swap.axes[sk.size() - 2]);
    swap.tables.resize(sk.size());
    Shape turned = sk;
    std::swap(turned[sk.size() - 1], turned[sk.size() - 2]);
    k = made.add(std::move(swap), {k}, std::move(turned));
  }
  std::vector<ValueId> inputs{made.alias(q, {bias->batch, bias->heads, queries, depth}),
                              made.alias(k, {bias->batch, bias->heads, keys, depth}),
                              made.alias(v, {bias->batch, bias->heads, keys, width})};
  if (bias->value != no_value) inputs.push_back(bias->value);
  const ValueId y = made.add(Attention{static_cast<float>(found.scale), bias->value != no_value}, std::move(inputs),
                             {bias->batch, bias->heads, queries, width});
  made.nodes.push_back({found.weighted->name, "Attention", Alias{}, {y}, found.weighted->output});
  return std::move(made.nodes);
}

/// The mean over the last axis of a value; no_value where the node gives something else.
ValueId averaged(const Graph& g, const Node* node) {
  const auto* reduction = node == nullptr ? nullptr : std::get_if<Reduction>(&node->operation);
  if (reduction == nullptr || reduction->kind != Reduction::Kind::mean) return no_value;
  const int last = static_cast<int>(g.value(node->inputs[0]).shape.size()) - 1;
  return reduction->axes == std::vector<int>{last} ? node->inputs[0] : no_value;
}

struct FoundNorm {
  ValueId x = no_value, scale = no_value, shift = no_value;
  float epsilon = 0.0F;
};

/// One number for each element of the last axis, constant.
bool is_row(const Graph& g, ValueId id, std::int64_t columns) {
  const Value& v = g.value(id);
  return v.constant && v.type == ElementType::f32 && !v.shape.empty() && v.shape.back() == columns &&
         v.constant->count() == columns;
}

/// The constant of a map's two inputs that is a row, and the other one.
bool split_row(const Graph& g, const Node* map, std::int64_t columns, ValueId& row, ValueId& other) {
  if (map == nullptr) return false;
  const std::size_t side = is_row(g, map->inputs[1], columns) ? 1 : 0;
  row = map->inputs[side];
  other = map->inputs[1 - side];
  return is_row(g, row, columns) && !g.value(other).constant;
}

/// x - mean(x), squared, averaged, + epsilon, its root; then (x - mean(x)) / root, or times one over it, * scale +
/// shift.
std::optional<FoundNorm> find_norm(const Graph& g, const Links& links, const Node& sum) {
  const Shape& shape = g.value(sum.output).shape;
  const auto* add = std::get_if<Map>(&sum.operation);
  if (add == nullptr || add->function != Function::add || !add->then.none() || shape.size() < 2) return std::nullopt;
  FoundNorm found;
  ValueId scaled = no_value, normal = no_value;
  if (!split_row(g, &sum, shape.back(), found.shift, scaled) ||
      !split_row(g, links.map(scaled, Function::mul), shape.back(), found.scale, normal))
    return std::nullopt;
  const Node* quotient = links.map(normal, Function::div);
  const bool divides = quotient != nullptr;
  if (!divides) quotient = links.map(normal, Function::mul);
  if (quotient == nullptr) return std::nullopt;
  const Node* root = nullptr;
  if (divides)
    root = links.map(quotient->inputs[1], Function::sqrt);
  else if (const Node* inverse = links.map(quotient->inputs[1], Function::reciprocal))
    root = links.map(inverse->inputs[0], Function::sqrt);
  const Node* shifted = root == nullptr ? nullptr : links.map(root->inputs[0], Function::add);
  if (shifted == nullptr || !scalar(g, shifted->inputs[1])) return std::nullopt;
  found.epsilon = static_cast<float>(*scalar(g, shifted->inputs[1]));
  const ValueId square = averaged(g, links.maker(shifted->inputs[0], 1));
  const ValueId centred = quotient->inputs[0];
  if (square == no_value) return std::nullopt;
  const Node* power = links.map(square, Function::pow);
  const Node* times = links.map(square, Function::mul);
  const bool squared = power != nullptr
                           ? power->inputs[0] == centred && scalar(g, power->inputs[1]) == 2.0
                           : times != nullptr && times->inputs[0] == centred && times->inputs[1] == centred;
  if (!squared) return std::nullopt;
  const Node* difference = links.map(centred, Function::sub, power != nullptr ? 2 : 3);
  if (difference == nullptr || difference->inputs[0] != averaged(g, links.maker(difference->inputs[1], 1)))
    return std::nullopt;
  found.x = difference->inputs[0];
  if (g.value(found.x).shape != shape || g.value(found.x).type != ElementType::f32) return std::nullopt;
  return found;
}

std::vector<Node> norm_nodes(Graph& g, const FoundNorm& found, const Node& sum) {
  const Shape shape = g.value(sum.output).shape;
  Insertions made{g, {}, sum.name};
  const Shape rows{element_count(shape) / shape.back(), shape.back(), 1};
  const ValueId y = made.add(
      Normalisation{1, found.epsilon, {}},
      {made.alias(found.x, rows), made.alias(found.scale, {shape.back()}), made.alias(found.shift, {shape.back()})},
      rows);
  made.nodes.push_back({sum.name, sum.op_type, Alias{}, {y}, sum.output});
  for (Node& node : made.nodes) node.op_type = "LayerNormalization";
  return std::move(made.nodes);
}

/// Puts what `replace` gives for a node in its place; what is not read any more goes.
template <class Replace>
void replace_nodes(Graph& graph, Replace replace) {
  remove_dead_nodes(graph);
  const Links links(graph);
  std::vector<std::vector<Node>> instead;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) instead.push_back(replace(links, graph.nodes[i]));
  std::vector<Node> nodes;
  for (std::size_t i = 0; i < instead.size(); ++i) {
    if (instead[i].empty()) nodes.push_back(std::move(graph.nodes[i]));
    for (Node& node : instead[i]) nodes.push_back(std::move(node));
  }
  graph.nodes = std::move(nodes);
  remove_dead_nodes(graph);
}

}  // namespace

void fuse_attention(Graph& graph) {
  replace_nodes(graph, [&](const Links& links, const Node& node) {
    const auto found = find_attention(graph, links, node);
    return found ? attention_nodes(graph, *found) : std::vector<Node>{};
  });
}

void fuse_layer_norms(Graph& graph) {
  replace_nodes(graph, [&](const Links& links, const Node& node) {
    const auto found = find_norm(graph, links, node);
    return found ? norm_nodes(graph, *found, node) : std::vector<Node>{};
  });
}

}  // namespace isocenter::infer
