#include "infer/passes.hpp"

#include <algorithm>
#include <map>
#include <optional>

namespace isocenter::infer {
namespace {

/// For each value how often it is read (a graph output counts), and which node makes it.
struct Uses {
  explicit Uses(const Graph& graph) : count(graph.values.size()), maker(graph.values.size(), -1) {
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      for (const ValueId id : graph.nodes[i].inputs) ++count[static_cast<std::size_t>(id)];
      maker[static_cast<std::size_t>(graph.nodes[i].output)] = static_cast<int>(i);
    }
    for (const ValueId id : graph.outputs) ++count[static_cast<std::size_t>(id)];
  }
  /// The node that makes a value which only one node reads; null otherwise.
  Node* sole_maker(Graph& graph, ValueId id) const {
    const int at = maker[static_cast<std::size_t>(id)];
    return at < 0 || count[static_cast<std::size_t>(id)] != 1 ? nullptr : &graph.nodes[static_cast<std::size_t>(at)];
  }
  std::vector<int> count;
  std::vector<int> maker;
};

/// Removes nodes that were marked by taking their output away.
void sweep(Graph& graph) {
  std::erase_if(graph.nodes, [](const Node& n) { return n.output == no_value; });
}

/// A constant with one value for each channel, broadcast over batch and space: (c, 1, ..., 1), a leading 1 or a scalar.
bool per_channel(const Graph& graph, ValueId id, std::size_t rank, std::int64_t channels, std::vector<double>& values) {
  const Value& v = graph.value(id);
  if (!v.constant || v.type != ElementType::f32) return false;
  Shape shape = v.shape;
  if (shape.size() > rank) return false;
  shape.insert(shape.begin(), rank - shape.size(), 1);
  for (std::size_t k = 0; k < rank; ++k)
    if (shape[k] != 1 && !(k == 1 && shape[k] == channels)) return false;
  values.resize(static_cast<std::size_t>(channels));
  for (std::int64_t c = 0; c < channels; ++c)
    values[static_cast<std::size_t>(c)] = v.constant->real(shape[1] == 1 ? 0 : c);
  return true;
}

/// y = x * factor + shift, when the node is that with constants by channel.
bool read_affine(const Graph& graph, const Node& node, const Node& conv, std::vector<double>& factor,
                 std::vector<double>& shift) {
  const auto* map = std::get_if<Map>(&node.operation);
  if (map == nullptr || !map->then.none() || node.inputs[0] != conv.output) return false;
  const Shape& shape = graph.value(conv.output).shape;
  if (graph.value(node.output).shape != shape) return false;
  const auto channels = static_cast<std::size_t>(shape[1]);
  factor.assign(channels, 1.0);
  shift.assign(channels, 0.0);
  if (map->function == Function::affine)
    return per_channel(graph, node.inputs[1], shape.size(), shape[1], factor) &&
           per_channel(graph, node.inputs[2], shape.size(), shape[1], shift);
  if (map->function == Function::mul) return per_channel(graph, node.inputs[1], shape.size(), shape[1], factor);
  if (map->function == Function::add) return per_channel(graph, node.inputs[1], shape.size(), shape[1], shift);
  return false;
}

/// The output channel that weight element i belongs to.
std::int64_t channel_of(const Convolution& conv, const Shape& weights, std::int64_t i) {
  std::int64_t taps = 1;
  for (std::size_t k = 2; k < weights.size(); ++k) taps *= weights[k];
  const std::int64_t row = i / taps;
  if (!conv.transposed) return row / weights[1];
  const std::int64_t ins_per_group = weights[0] / conv.groups;
  return row / weights[1] / ins_per_group * weights[1] + row % weights[1];
}

bool fold(Graph& graph, Node& node, Node& conv) {
  auto& op = std::get<Convolution>(conv.operation);
  const Value& weights = graph.value(conv.inputs[1]);
  if (op.residual || !op.then.none() || !weights.constant || weights.type != ElementType::f32) return false;
  if (op.bias && !graph.value(conv.inputs[2]).constant) return false;
  std::vector<double> factor, shift;
  if (!read_affine(graph, node, conv, factor, shift)) return false;
  Array scaled(ElementType::f32, weights.shape), bias(ElementType::f32, {static_cast<std::int64_t>(factor.size())});
  for (std::int64_t i = 0; i < scaled.count(); ++i)
    scaled.set_real(i, weights.constant->real(i) * factor[static_cast<std::size_t>(channel_of(op, weights.shape, i))]);
  for (std::size_t c = 0; c < factor.size(); ++c) {
    const auto at = static_cast<std::int64_t>(c);
    const double before = op.bias ? graph.value(conv.inputs[2]).constant->real(at) : 0.0;
    bias.set_real(at, before * factor[c] + shift[c]);
  }
  conv.inputs.resize(2);
  conv.inputs[1] = graph.add_value({weights.name, ElementType::f32, scaled.shape(), scaled});
  conv.inputs.push_back(graph.add_value({node.name, ElementType::f32, bias.shape(), bias}));
  op.bias = true;
  conv.output = node.output;
  return true;
}

bool fuses_with_convolution(Function f) {
  using F = Function;
  return f == F::relu || f == F::leaky_relu || f == F::sigmoid || f == F::tanh || f == F::elu || f == F::clip;
}

/// Where an activation may go; null when the node cannot take one.
Activation* activation_slot(Node& node, Function f) {
  if (auto* conv = std::get_if<Convolution>(&node.operation)) return fuses_with_convolution(f) ? &conv->then : nullptr;
  if (auto* norm = std::get_if<Normalisation>(&node.operation)) return &norm->then;
  if (auto* map = std::get_if<Map>(&node.operation)) return is_float_map(*map) ? &map->then : nullptr;
  return nullptr;
}

}  // namespace

bool is_float_map(const Map& map) { return detail::is_float_function(map.function); }

std::string kind_of(const Node& node) {
  static constexpr const char* names[] = {"map",    "convolution", "pool",     "normalisation", "copy",
                                          "concat", "resample",    "softmax",  "reduction",     "matrix product",
                                          "alias",  "loops",       "attention"};
  return names[node.operation.index()];
}

void fold_affine_into_convolutions(Graph& graph) {
  const Uses uses(graph);
  for (auto& node : graph.nodes) {
    if (!std::holds_alternative<Map>(node.operation)) continue;
    // Another fold may already have moved a convolution's output here: look it up by the value that it makes now.
    const auto conv = std::find_if(graph.nodes.begin(), graph.nodes.end(), [&](const Node& n) {
      return n.output == node.inputs[0] && std::holds_alternative<Convolution>(n.operation);
    });
    if (conv == graph.nodes.end() || uses.count[static_cast<std::size_t>(node.inputs[0])] != 1) continue;
    if (fold(graph, node, *conv)) node.output = no_value;
  }
  sweep(graph);
}

void fuse_residuals(Graph& graph) {
  const Uses uses(graph);
  for (auto& node : graph.nodes) {
    const auto* map = std::get_if<Map>(&node.operation);
    if (map == nullptr || map->function != Function::add || !map->then.none()) continue;
    for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) {
      const ValueId residual = node.inputs[1 - side];
      Node* maker = uses.sole_maker(graph, node.inputs[side]);
      if (maker == nullptr || maker->output != node.inputs[side] ||
          !std::holds_alternative<Convolution>(maker->operation))
        continue;
      auto conv = std::get<Convolution>(maker->operation);
      const Value& other = graph.value(residual);
      if (conv.residual || conv.transposed || !conv.then.none() || other.constant || other.type != ElementType::f32 ||
          residual == node.inputs[side] || other.shape != graph.value(node.output).shape)
        continue;
      // The sum's place in the order is kept: both of its operands are there by then.
      conv.residual = true;
      std::vector<ValueId> inputs = maker->inputs;
      inputs.push_back(residual);
      maker->output = no_value;
      node = Node{maker->name, maker->op_type, conv, std::move(inputs), node.output};
      break;
    }
  }
  sweep(graph);
}

void fuse_activations(Graph& graph) {
  const Uses uses(graph);
  std::vector<Node*> makers(graph.values.size());
  for (auto& node : graph.nodes) makers[static_cast<std::size_t>(node.output)] = &node;
  for (auto& node : graph.nodes) {
    const auto* map = std::get_if<Map>(&node.operation);
    if (map == nullptr || node.inputs.size() != 1 || !map->then.none() || map->function == Function::identity ||
        !is_float_map(*map))
      continue;
    const ValueId from = node.inputs[0];
    Node* maker = makers[static_cast<std::size_t>(from)];
    if (maker == nullptr || uses.count[static_cast<std::size_t>(from)] != 1 ||
        graph.value(from).type != ElementType::f32)
      continue;
    Activation* slot = activation_slot(*maker, map->function);
    if (slot == nullptr || !slot->none()) continue;
    *slot = {map->function, map->alpha, map->beta};
    maker->output = node.output;
    makers[static_cast<std::size_t>(node.output)] = maker;
    node.output = no_value;
  }
  sweep(graph);
}

void nest_concatenations(Graph& graph) {
  std::vector<const Node*> earlier;  // the concatenations so far, as they came
  std::vector<Node> kept = graph.nodes;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    const auto* concat = std::get_if<Concat>(&kept[i].operation);
    if (concat == nullptr) continue;
    const auto begins_so = [&](const Node* before) {
      return std::get<Concat>(before->operation).axis == concat->axis && before->inputs.size() > 1 &&
             before->inputs.size() < kept[i].inputs.size() &&
             std::equal(before->inputs.begin(), before->inputs.end(), kept[i].inputs.begin());
    };
    const auto longest = std::find_if(earlier.rbegin(), earlier.rend(), begins_so);
    if (longest != earlier.rend()) {
      std::vector<ValueId> inputs{(*longest)->output};
      inputs.insert(inputs.end(), kept[i].inputs.begin() + static_cast<std::ptrdiff_t>((*longest)->inputs.size()),
                    kept[i].inputs.end());
      graph.nodes[i].inputs = std::move(inputs);
    }
    earlier.push_back(&kept[i]);
  }
}

namespace {

/// The node is a copy that only brings the axes into another order. (One that cuts behind has no table either.)
const Copy* as_transpose(const Graph& graph, const Node& node) {
  const auto* copy = std::get_if<Copy>(&node.operation);
  if (copy == nullptr || copy->axes.size() != graph.value(node.inputs[0]).shape.size()) return nullptr;
  const Shape &from = graph.value(node.inputs[0]).shape, &to = graph.value(node.output).shape;
  std::vector<bool> taken(copy->axes.size());
  for (std::size_t k = 0; k < copy->axes.size(); ++k) {
    const int axis = copy->axes[k];
    if (axis < 0 || taken[static_cast<std::size_t>(axis)] || !copy->tables[k].empty() ||
        to[k] != from[static_cast<std::size_t>(axis)])
      return nullptr;
    taken[static_cast<std::size_t>(axis)] = true;
  }
  return copy;
}

/// How many zeros a copy puts in front of and behind axis k; nothing when it does something else there.
std::optional<std::pair<std::int64_t, std::int64_t>> zeros_around(const Graph& graph, const Node& node, std::size_t k) {
  const auto& copy = std::get<Copy>(node.operation);
  const std::int64_t extent = graph.value(node.inputs[0]).shape[k];
  if (copy.axes[k] != static_cast<int>(k)) return std::nullopt;
  const auto& table = copy.tables[k];
  if (table.empty() && graph.value(node.output).shape[k] != extent) return std::nullopt;
  if (table.empty()) return std::pair<std::int64_t, std::int64_t>{0, 0};
  const auto first = std::find_if(table.begin(), table.end(), [](std::int32_t i) { return i != -1; });
  const std::int64_t before = first - table.begin(), behind = static_cast<std::int64_t>(table.size()) - before - extent;
  if (behind < 0) return std::nullopt;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(table.size()) - before; ++i)
    if (first[i] != (i < extent ? static_cast<std::int32_t>(i) : -1)) return std::nullopt;
  return std::pair{before, behind};
}

}  // namespace

void join_transposes(Graph& graph) {
  std::vector<ValueId> same(graph.values.size());  // another value with the same content, or the value itself
  for (std::size_t i = 0; i < same.size(); ++i) same[i] = static_cast<ValueId>(i);
  std::map<ValueId, const Node*> makers;
  for (Node& node : graph.nodes) {
    for (ValueId& id : node.inputs) id = same[static_cast<std::size_t>(id)];
    const Copy* later = as_transpose(graph, node);
    if (later == nullptr) continue;
    const auto maker = makers.find(node.inputs[0]);
    if (maker != makers.end()) {
      Copy joined = *later;
      const Copy& earlier = std::get<Copy>(maker->second->operation);
      for (int& axis : joined.axes) axis = earlier.axes[static_cast<std::size_t>(axis)];
      node.inputs[0] = maker->second->inputs[0];
      node.operation = std::move(joined);
    }
    const auto& axes = std::get<Copy>(node.operation).axes;
    if (std::is_sorted(axes.begin(), axes.end())) same[static_cast<std::size_t>(node.output)] = node.inputs[0];
    makers[node.output] = &node;
  }
}

void merge_pads(Graph& graph) {
  const Uses uses(graph);
  for (Node& node : graph.nodes) {
    auto* conv = std::get_if<Convolution>(&node.operation);
    const int maker = conv == nullptr ? -1 : uses.maker[static_cast<std::size_t>(node.inputs[0])];
    if (maker < 0 || conv->transposed) continue;
    const Node& pad = graph.nodes[static_cast<std::size_t>(maker)];
    const auto* copy = std::get_if<Copy>(&pad.operation);
    const std::size_t rank = graph.value(node.inputs[0]).shape.size();
    if (copy == nullptr || copy->fill != 0.0 || copy->axes.size() != rank ||
        graph.value(pad.inputs[0]).shape.size() != rank)
      continue;
    Window wider = conv->window;
    bool all = true;
    for (std::size_t k = 0; k < rank && all; ++k) {
      const auto zeros = zeros_around(graph, pad, k);
      all = zeros && (k > 1 || (zeros->first == 0 && zeros->second == 0));
      if (!all || k < 2) continue;
      wider.pads_begin[k - 2] += zeros->first;
      wider.pads_end[k - 2] += zeros->second;
    }
    if (!all) continue;
    conv->window = std::move(wider);
    node.inputs[0] = pad.inputs[0];
  }
}

void remove_dead_nodes(Graph& graph) {
  std::vector<bool> needed(graph.values.size());
  for (const ValueId id : graph.outputs) needed[static_cast<std::size_t>(id)] = true;
  for (std::size_t i = graph.nodes.size(); i-- > 0;) {
    Node& node = graph.nodes[i];
    if (!needed[static_cast<std::size_t>(node.output)]) {
      node.output = no_value;
      continue;
    }
    for (const ValueId id : node.inputs) needed[static_cast<std::size_t>(id)] = true;
  }
  sweep(graph);
}

void optimise(Graph& graph) {
  remove_dead_nodes(graph);
  join_transposes(graph);
  merge_pads(graph);
  fold_affine_into_convolutions(graph);
  fuse_residuals(graph);
  fuse_activations(graph);
  nest_concatenations(graph);
  remove_dead_nodes(graph);
}

}  // namespace isocenter::infer
