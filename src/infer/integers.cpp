#include "infer/integers.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <isocenter/error.hpp>
#include <numeric>

#include "infer/calibration.hpp"
#include "infer/narrow_weights.hpp"
#include "infer/onednn_steps.hpp"
#include "infer/passes.hpp"
#include "infer/schedule.hpp"

namespace isocenter::infer {
namespace {

std::size_t at(ValueId id) { return static_cast<std::size_t>(id); }

const Map* as_map(const Node* node, Function function) {
  const auto* map = node == nullptr ? nullptr : std::get_if<Map>(&node->operation);
  return map != nullptr && map->function == function ? map : nullptr;
}

bool is_eight_bits(ElementType type) { return type == ElementType::u8 || type == ElementType::i8; }

/// A constant of one element.
bool read_single(const Graph& graph, ValueId id, double& value) {
  const auto& constant = graph.value(id).constant;
  if (!constant || constant->count() != 1) return false;
  value = constant->real(0);
  return true;
}

/// Who makes and who reads each value.
struct Readers {
  explicit Readers(const Graph& graph) : makers(graph.values.size(), -1), of(graph.values.size()), ends(of.size()) {
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      for (const ValueId id : graph.nodes[i].inputs) of[at(id)].push_back(static_cast<int>(i));
      makers[at(graph.nodes[i].output)] = static_cast<int>(i);
    }
    for (const ValueId id : graph.outputs) ends[at(id)] = true;
    for (const ValueId id : graph.inputs) ends[at(id)] = true;
  }
  const Node* maker(const Graph& graph, ValueId id) const {
    const int i = makers[at(id)];
    return i < 0 ? nullptr : &graph.nodes[static_cast<std::size_t>(i)];
  }
  /// The only reader of a value that is neither an input nor an output of the graph.
  int sole(ValueId id) const { return ends[at(id)] || of[at(id)].size() != 1 ? -1 : of[at(id)][0]; }

  std::vector<int> makers;
  std::vector<std::vector<int>> of;
  std::vector<bool> ends;
};

/// x / scale, rounded, + zero point, as int8 or uint8: what QuantizeLinear is lowered to.
struct Quantisation {
  ValueId x = no_value;
  Quantised grid;
};
bool read_quantisation(const Graph& graph, const Readers& readers, const Node& last, Quantisation& found) {
  const Map* cast = as_map(&last, Function::identity);
  const ElementType type = graph.value(last.output).type;
  if (cast == nullptr || !cast->then.none() || !is_eight_bits(type) ||
      graph.value(last.inputs[0]).type != ElementType::f32)
    return false;
  const Node* node = readers.maker(graph, last.inputs[0]);
  double zero = 0, scale = 0;
  if (const Map* shift = as_map(node, Function::add); shift != nullptr) {
    if (!shift->then.none() || !read_single(graph, node->inputs[1], zero)) return false;
    node = readers.maker(graph, node->inputs[0]);
  }
  const Map* rounding = as_map(node, Function::round);
  if (rounding != nullptr && rounding->then.none()) node = readers.maker(graph, node->inputs[0]);
  const Map* division = as_map(node, Function::div);
  if (division == nullptr || !read_single(graph, node->inputs[1], scale)) return false;
  const double least = type == ElementType::i8 ? -128 : 0;
  if (!(scale > 0) || !std::isnormal(static_cast<float>(scale)) || zero != std::round(zero) || zero < least ||
      zero > least + 255)
    return false;
  if (division->then.function != (rounding != nullptr ? Function::identity : Function::round)) return false;
  found = {node->inputs[0], {static_cast<float>(scale), static_cast<int>(zero), type == ElementType::i8}};
  const Value& x = graph.value(found.x);
  return x.type == ElementType::f32 && x.shape == graph.value(last.output).shape;
}

/// (q - zero point) * scale from `first` on, its reading of q: the index of the node that multiplies, or -1.
int read_dequantisation(const Graph& graph, const Readers& readers, int first, const Quantised& grid) {
  const auto next = [&](int i) { return readers.sole(graph.nodes[static_cast<std::size_t>(i)].output); };
  const auto plain_map = [&](int i, Function function, ElementType type) {
    if (i < 0) return false;
    const Node& node = graph.nodes[static_cast<std::size_t>(i)];
    const Map* map = as_map(&node, function);
    return map != nullptr && map->then.none() && graph.value(node.output).type == type;
  };
  if (!plain_map(first, Function::identity, ElementType::i32)) return -1;
  double zero = 0, scale = 0;
  int i = next(first);
  if (plain_map(i, Function::sub, ElementType::i32)) {
    if (!read_single(graph, graph.nodes[static_cast<std::size_t>(i)].inputs[1], zero)) return -1;
    i = next(i);
  }
  if (!plain_map(i, Function::identity, ElementType::f32)) return -1;
  i = next(i);
  const Node* last = i < 0 ? nullptr : &graph.nodes[static_cast<std::size_t>(i)];
  if (as_map(last, Function::mul) == nullptr || !read_single(graph, last->inputs[1], scale)) return -1;
  const Node& read = graph.nodes[static_cast<std::size_t>(first)];
  if (graph.value(last->output).shape != graph.value(read.inputs[0]).shape) return -1;
  return static_cast<float>(scale) == grid.scale && zero == grid.zero ? i : -1;
}

Copy same(std::size_t rank) {
  Copy copy;
  copy.axes.resize(rank);
  std::iota(copy.axes.begin(), copy.axes.end(), 0);
  copy.tables.resize(rank);
  return copy;
}

std::string named(const Node& node, const std::string& why) { return "'" + node.name + "' (" + why + ")"; }

std::string not_own_weights(const Graph& graph, const Node& node) {
  const Value& weights = graph.value(node.inputs[1]);
  if (!weights.stored) return "its weights are not symmetric int8";
  return has_own_integers(weights, output_axis(node))
             ? std::string()
             : "its weights' scales are not positive numbers of its output channels";
}

/// Products whose data and weights have grids multiply integers.
void set_own_grids(Graph& graph, IntegerPlan& plan) {
  for (Node& node : graph.nodes) {
    if (!is_product(graph, node)) continue;
    std::string why = not_for_integers(graph, node);
    const Quantised grid = graph.value(node.inputs[0]).grid;
    if (why.empty() && grid.none()) why = "its input is not quantised";
    if (why.empty()) why = not_own_weights(graph, node);
    if (why.empty()) {
      set_product_grid(node, grid);
      if (onednn_plans_integers(graph, node, {})) continue;
      set_product_grid(node, {});
      why = "oneDNN has no integer primitive for it";
    }
    plan.wide.push_back(named(node, why));
  }
}

/// A function of one value, or of two of one shape, or of one and a constant number or row along its last axis.
bool maps_integers(const Graph& graph, const Node& node, const Map& map) {
  const Value& out = graph.value(node.output);
  if (out.shape.empty() || !is_float_map(map) || node.inputs.size() > 2) return false;
  return std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
    const Value& v = graph.value(id);
    if (v.type != ElementType::f32) return false;
    if (v.constant)
      return v.constant->count() == 1 ||
             (v.constant->count() == out.shape.back() && !v.shape.empty() && v.shape.back() == out.shape.back());
    return v.shape == out.shape;
  });
}

/// The node can write its output on the grid.
bool writes_grid(const Graph& graph, const Node& node, const Quantised& grid) {
  if (!product_grid(node).none()) return writes_product_on_grid(graph, node, grid);
  if (!has_kernel(graph, node)) return false;
  if (const auto* map = std::get_if<Map>(&node.operation)) return maps_integers(graph, node, *map);
  if (std::holds_alternative<Alias>(node.operation)) return graph.value(node.inputs[0]).grid == grid;
  if (std::holds_alternative<Pool>(node.operation))
    return graph.value(node.inputs[0]).grid == grid && onednn_plans_integers(graph, node, grid);
  if (const auto* concat = std::get_if<Concat>(&node.operation))
    return concat->axis == 1 && graph.value(node.output).shape.size() >= 4;
  return false;
}

/// The same elements in another shape stay the integers that they are.
void keep_through_aliases(Graph& graph) {
  const Readers readers(graph);
  for (const Node& node : graph.nodes)
    if (std::holds_alternative<Alias>(node.operation) && !readers.ends[at(node.output)] &&
        graph.value(node.output).type == ElementType::f32)
      if (const Quantised grid = graph.value(node.inputs[0]).grid; !grid.none()) graph.value(node.output).grid = grid;
}

/// An alias that a quantisation alone reads comes behind it, so that what made the values can write integers.
void quantise_before_aliases(Graph& graph) {
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    for (std::size_t copy = i; std::holds_alternative<Copy>(graph.nodes[copy].operation);) {
      const Quantised grid = graph.value(graph.nodes[copy].output).grid;
      const ValueId x = graph.nodes[copy].inputs[0];
      const Readers readers(graph);
      const int maker = readers.makers[at(x)];
      if (grid.none() || !graph.value(x).grid.none() || maker < 0 || readers.sole(x) < 0 ||
          !std::holds_alternative<Alias>(graph.nodes[static_cast<std::size_t>(maker)].operation))
        break;
      Node &alias = graph.nodes[static_cast<std::size_t>(maker)], &quantisation = graph.nodes[copy];
      const Value& before = graph.value(alias.inputs[0]);
      if (before.constant || before.type != ElementType::f32 || !before.grid.none()) break;
      Value value{before.name, ElementType::f32, before.shape, std::nullopt};
      value.grid = grid;
      const std::size_t rank = before.shape.size();
      const ValueId held = graph.add_value(std::move(value));
      std::swap(alias, quantisation);
      std::swap(alias.inputs, quantisation.inputs);  // the first of the two reads what the alias read
      alias.operation = same(rank);
      quantisation.output = alias.output;
      quantisation.inputs = {held};
      alias.output = held;
      copy = static_cast<std::size_t>(maker);
    }
}

/// What is made for a quantisation alone is made on its grid.
void write_on_grids(Graph& graph) {
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    Node& copy = graph.nodes[i];
    const Quantised grid = graph.value(copy.output).grid;
    if (grid.none() || !std::holds_alternative<Copy>(copy.operation)) continue;
    const ValueId x = copy.inputs[0];
    const Readers readers(graph);
    const int maker = readers.makers[at(x)];
    if (maker < 0 || readers.sole(x) < 0 || !graph.value(x).grid.none()) continue;
    Node& made = graph.nodes[static_cast<std::size_t>(maker)];
    if (!writes_grid(graph, made, grid)) continue;
    made.output = copy.output;
    graph.nodes.erase(graph.nodes.begin() + static_cast<std::ptrdiff_t>(i--));
  }
}

void count(const Graph& graph, IntegerPlan& plan) {
  for (const Node& node : graph.nodes) {
    if (!is_product(graph, node)) continue;
    const bool conv = std::holds_alternative<Convolution>(node.operation), integer = !product_grid(node).none();
    ++(conv ? plan.convolutions : plan.products);
    if (integer) ++(conv ? plan.integer_convolutions : plan.integer_products);
  }
}

}  // namespace

Quantised product_grid(const Node& node) {
  if (const auto* conv = std::get_if<Convolution>(&node.operation)) return conv->in;
  if (const auto* product = std::get_if<MatrixProduct>(&node.operation)) return product->in;
  return {};
}

void set_product_grid(Node& node, const Quantised& grid) {
  if (auto* conv = std::get_if<Convolution>(&node.operation)) conv->in = grid;
  if (auto* product = std::get_if<MatrixProduct>(&node.operation)) product->in = grid;
}

bool is_product(const Graph& graph, const Node& node) {
  return (std::holds_alternative<Convolution>(node.operation) ||
          std::holds_alternative<MatrixProduct>(node.operation)) &&
         has_kernel(graph, node);
}

bool writes_product_on_grid(const Graph& graph, const Node& node, const Quantised& grid) {
  if (product_grid(node).none()) return false;
  if (const auto* conv = std::get_if<Convolution>(&node.operation)) {
    const Function f = conv->then.function;  // oneDNN 2 applies it to the scaled sum
    if (conv->residual || (f != Function::identity && f != Function::relu && f != Function::leaky_relu)) return false;
  }
  if (const auto* product = std::get_if<MatrixProduct>(&node.operation); product != nullptr && product->residual)
    return false;
  return onednn_plans_integers(graph, node, grid);
}

std::string not_for_integers(const Graph& graph, const Node& node) {
  if (!is_product(graph, node)) return "it is no product of float32";
  const Value &x = graph.value(node.inputs[0]), &weights = graph.value(node.inputs[1]);
  if (x.constant || !weights.constant) return "its weights are not constant";
  if (const auto* conv = std::get_if<Convolution>(&node.operation)) {
    if (conv->transposed) return "it is transposed";
    if (conv->bias && !graph.value(node.inputs[2]).constant) return "its bias is not constant";
    return {};
  }
  const auto& product = std::get<MatrixProduct>(node.operation);
  if (weights.shape.size() != 2 || product.transpose_a || x.shape.size() < 2) return "it is no product of rows";
  if (product.bias && (!graph.value(node.inputs[2]).constant ||
                       graph.value(node.inputs[2]).constant->count() != graph.value(node.output).shape.back()))
    return "its bias is not constant";
  return {};
}

double weight_error(const Graph& graph, const Node& node) {
  const Value& weights = graph.value(node.inputs[1]);
  const int axis = output_axis(node);
  if (has_own_integers(weights, axis)) return 0.0;
  const NarrowWeights narrow = quantise(weights, axis);
  double error = 0, norm = 0;
  for (std::int64_t i = 0; i < weights.constant->count(); ++i) {
    const double w = static_cast<double>(weights.constant->as<float>()[i]);
    const double d = w - static_cast<double>(narrow.scales[channel_of(weights.shape, axis, i)]) *
                             static_cast<double>(narrow.values.as<std::int8_t>()[i]);
    error += d * d;
    norm += w * w;
  }
  return norm == 0.0 ? 0.0 : std::sqrt(error / norm);
}

bool find_grids(Graph& graph) {
  const Readers readers(graph);
  bool any = false;
  std::vector<ValueId> instead(graph.values.size(), no_value);
  const auto count_before = graph.nodes.size();
  for (std::size_t i = 0; i < count_before; ++i) {
    Quantisation found;
    const ValueId q = graph.nodes[i].output;
    if (readers.ends[at(q)] || !read_quantisation(graph, readers, graph.nodes[i], found)) continue;
    std::vector<int> ends;
    for (const int reader : readers.of[at(q)]) ends.push_back(read_dequantisation(graph, readers, reader, found.grid));
    if (ends.empty() || std::find(ends.begin(), ends.end(), -1) != ends.end()) continue;
    Value value{graph.value(q).name, ElementType::f32, graph.value(q).shape, std::nullopt};
    value.grid = found.grid;
    const ValueId held = graph.add_value(std::move(value));
    Node& node = graph.nodes[i];
    node.operation = same(graph.value(q).shape.size());
    node.inputs = {found.x};
    node.output = held;
    for (const int end : ends) {
      Node& last = graph.nodes[static_cast<std::size_t>(end)];
      const Activation then = std::get<Map>(last.operation).then;
      if (then.none() && !readers.ends[at(last.output)]) instead[at(last.output)] = held;
      if (then.none())
        last.operation = same(graph.value(last.output).shape.size());
      else
        last.operation = Map{then.function, then.alpha, then.beta, {}};
      last.inputs = {held};
    }
    any = true;
  }
  for (Node& node : graph.nodes)
    for (ValueId& id : node.inputs)
      if (at(id) < instead.size() && instead[at(id)] != no_value) id = instead[at(id)];
  return any;
}

IntegerPlan plan_integers(Graph& graph) {
  IntegerPlan plan;
  plan.own_grids = find_grids(graph);
  if (plan.own_grids) {
    remove_dead_nodes(graph);
    keep_through_aliases(graph);
    set_own_grids(graph, plan);
    quantise_before_aliases(graph);
    write_on_grids(graph);
  } else {
    apply_calibration(graph, plan.wide);
  }
  count(graph, plan);
  if (plan.integer_convolutions + plan.integer_products == 0)
    throw Failure(ErrorCode::unsupported,
                  graph.source +
                      ": precision = int8 is for convolutions and matrix products with constant weights, and "
                      "none of this network's can run so" +
                      (plan.wide.empty() ? "" : ", " + plan.wide[0] + " first"),
                  "set precision to float32 or bfloat16");
  return plan;
}

}  // namespace isocenter::infer
