// What stands around matrix products in transformers: biases, residuals and activations.
#include <algorithm>
#include <cmath>

#include "infer/passes.hpp"
#include "infer/schedule.hpp"

namespace isocenter::infer {
namespace {

std::size_t at(ValueId id) { return static_cast<std::size_t>(id); }

/// How often each value is read, and which node makes it. Nodes may be replaced, not moved.
struct Makers {
  explicit Makers(Graph& graph) : reads(graph.values.size()), of(graph.values.size()) {
    for (Node& node : graph.nodes) {
      for (const ValueId id : node.inputs) ++reads[at(id)];
      of[at(node.output)] = &node;
    }
    for (const ValueId id : graph.outputs) ++reads[at(id)];
  }
  /// A map of this function alone that makes a value read once.
  const Node* map(ValueId id, Function function) const {
    const Node* node = reads[at(id)] == 1 ? of[at(id)] : nullptr;
    const auto* map = node == nullptr ? nullptr : std::get_if<Map>(&node->operation);
    return map != nullptr && map->function == function && map->then.none() ? node : nullptr;
  }
  std::vector<int> reads;
  std::vector<Node*> of;
};

bool is_scalar(const Graph& graph, ValueId id, double& value) {
  const Value& v = graph.value(id);
  if (!v.constant || v.constant->count() != 1) return false;
  value = v.constant->real(0);
  return true;
}

bool is_near(double a, double b) { return std::fabs(a - b) < 1e-5 * std::fabs(b); }

/// A product taken apart: a number and what it is multiplied by. Of a long chain of products, the end.
struct Factors {
  double number = 1.0;
  std::vector<ValueId> values;
  int products = 0;
};
void take_apart(const Graph& graph, const Makers& makers, const Node& node, Factors& factors) {
  constexpr int most_products = 8;
  const bool goes_on = ++factors.products < most_products;
  const bool divides = std::get<Map>(node.operation).function == Function::div;
  for (std::size_t i = 0; i < 2; ++i) {
    double number = 0;
    const ValueId id = node.inputs[i];
    if (is_scalar(graph, id, number))
      factors.number *= divides && i == 1 ? 1 / number : number;
    else if (divides && i == 1)
      factors.values.insert(factors.values.end(), 3, no_value);  // no product
    else if (const Node* left = makers.map(id, Function::mul); left != nullptr && goes_on)
      take_apart(graph, makers, *left, factors);
    else if (const Node* over = makers.map(id, Function::div); over != nullptr && goes_on)
      take_apart(graph, makers, *over, factors);
    else
      factors.values.push_back(id);
  }
}

/// The node gives x / 2 * (1 + erf(x / sqrt(2))): x, or no_value.
ValueId gelu_of(const Graph& graph, const Makers& makers, const Node& node) {
  const auto* map = std::get_if<Map>(&node.operation);
  if (map == nullptr || (map->function != Function::mul && map->function != Function::div) || !map->then.none() ||
      graph.value(node.output).type != ElementType::f32)
    return no_value;
  Factors outer;
  take_apart(graph, makers, node, outer);
  if (outer.values.size() != 2 || !is_near(outer.number, 0.5)) return no_value;
  for (std::size_t side = 0; side < 2; ++side) {
    const ValueId x = outer.values[side];
    const Node* sum = makers.map(outer.values[1 - side], Function::add);
    if (sum == nullptr) continue;
    double one = 0;
    const std::size_t constant = is_scalar(graph, sum->inputs[1], one) ? 1 : 0;
    if (!is_scalar(graph, sum->inputs[constant], one) || one != 1.0) continue;
    const Node* error = makers.map(sum->inputs[1 - constant], Function::erf);
    if (error == nullptr) continue;
    const Node* scaled = makers.map(error->inputs[0], Function::mul);
    if (scaled == nullptr) scaled = makers.map(error->inputs[0], Function::div);
    if (scaled == nullptr) continue;
    Factors inner;
    take_apart(graph, makers, *scaled, inner);
    if (inner.values == std::vector<ValueId>{x} && is_near(inner.number, std::sqrt(0.5)) &&
        graph.value(x).shape == graph.value(node.output).shape && graph.value(x).type == ElementType::f32)
      return x;
  }
  return no_value;
}

bool goes_into_product(Function f) {
  using F = Function;
  return f == F::identity || f == F::relu || f == F::leaky_relu || f == F::sigmoid || f == F::tanh || f == F::elu ||
         f == F::clip || f == F::gelu || f == F::gelu_tanh;
}

/// The product with what the node does to its result, which comes in on `side`; false: it cannot take it.
bool take_over(Graph& graph, Node& product, const Node& node, std::size_t side) {
  const auto& map = std::get<Map>(node.operation);
  auto& op = std::get<MatrixProduct>(product.operation);
  const Shape shape = graph.value(node.output).shape;
  if (!op.then.none() || graph.value(product.output).shape != shape) return false;
  if (node.inputs.size() == 1) {
    if (!map.then.none() || map.function == Function::identity || !goes_into_product(map.function)) return false;
    op.then = {map.function, map.alpha, map.beta};
    return true;
  }
  if (map.function != Function::add || !goes_into_product(map.then.function) || op.residual) return false;
  const ValueId other = node.inputs[1 - side];
  const Value value = graph.value(other);
  if (value.type != ElementType::f32 || other == node.inputs[side]) return false;
  if (value.constant) {
    if (op.bias || value.shape.empty() || value.shape.back() != shape.back() ||
        element_count(value.shape) != shape.back())
      return false;
    product.inputs.push_back(
        graph.add_value({value.name, ElementType::f32, {shape.back()}, value.constant->reshaped({shape.back()})}));
    op.bias = true;
  } else {
    if (value.shape != shape) return false;
    product.inputs.push_back(other);
    op.residual = true;
  }
  op.then = map.then;
  return true;
}

}  // namespace

void fuse_gelus(Graph& graph) {
  const Makers makers(graph);
  for (Node& node : graph.nodes)
    if (const ValueId x = gelu_of(graph, makers, node); x != no_value) {
      node.operation = Map{Function::gelu, 0, 0, {}};
      node.inputs = {x};
    }
  remove_dead_nodes(graph);
}

void fuse_products(Graph& graph) {
  Makers makers(graph);
  for (Node& node : graph.nodes) {
    const auto* map = std::get_if<Map>(&node.operation);
    if (map == nullptr || !is_float_map(*map) || graph.value(node.output).type != ElementType::f32) continue;
    for (std::size_t side = 0; side < std::min<std::size_t>(node.inputs.size(), 2); ++side) {
      Node* maker = makers.of[at(node.inputs[side])];
      if (maker == nullptr || makers.reads[at(node.inputs[side])] != 1 ||
          !std::holds_alternative<MatrixProduct>(maker->operation) || !has_kernel(graph, *maker))
        continue;
      Node product = *maker;
      if (!take_over(graph, product, node, side)) continue;
      const ValueId made = node.output;
      product.output = made;
      // A residual may be made behind the product: then the sum's place in the order is the product's.
      const bool moves = std::get<MatrixProduct>(product.operation).residual;
      Node& place = moves ? node : *maker;
      (moves ? *maker : node).output = no_value;
      place = std::move(product);
      makers.of[at(made)] = &place;
      break;
    }
  }
  std::erase_if(graph.nodes, [](const Node& n) { return n.output == no_value; });
}

}  // namespace isocenter::infer
