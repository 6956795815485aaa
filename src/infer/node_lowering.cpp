#include <algorithm>
#include <stdexcept>

#include "infer/lower.hpp"
#include "infer/reference.hpp"

namespace isocenter::infer {
namespace {

/// A file may ask for a constant of any size; more than this is refused instead of computed when the plan is made.
constexpr std::int64_t largest_folded_bytes = std::int64_t{1} << 30;

}  // namespace

/// The graph inputs that a value is computed from.
static std::vector<ValueId> graph_inputs_behind(const Graph& graph, ValueId value) {
  std::vector<bool> wanted(graph.values.size());
  wanted[static_cast<std::size_t>(value)] = true;
  for (std::size_t i = graph.nodes.size(); i-- > 0;)
    if (wanted[static_cast<std::size_t>(graph.nodes[i].output)])
      for (const ValueId id : graph.nodes[i].inputs) wanted[static_cast<std::size_t>(id)] = true;
  std::vector<ValueId> inputs;
  for (const ValueId id : graph.inputs)
    if (wanted[static_cast<std::size_t>(id)]) inputs.push_back(id);
  return inputs;
}

ValueId NodeLowering::input(std::size_t i) const {
  if (!has_input(i)) contradiction("has no input " + std::to_string(i));
  const ValueId id = names_.at(node_.inputs[i]);
  if (graph_.value(id).filled_up)
    unsupported("reads '" + node_.inputs[i] + "', the boxes that a non-maximum suppression selects; how many of its " +
                    std::to_string(shape(id)[0]) + " rows hold a box is known when the network runs, the others are -1",
                "end the model at NonMaxSuppression and look the boxes up behind it, or give its boxes and scores when "
                "the network is planned");
  return id;
}

const Array& NodeLowering::constant(std::size_t i, const char* what) const { return known(input(i), what); }

const Array& NodeLowering::known(ValueId id_wanted, const char* what) const {
  const Value& value = graph_.value(id_wanted);
  if (value.constant) return *value.constant;
  std::string names;
  for (const ValueId id : graph_inputs_behind(graph_, id_wanted))
    names += (names.empty() ? "'" : ", '") + graph_.value(id).name + "'";
  unsupported("decides a shape by data: " + std::string(what) + " depends on the input " + names,
              "export the model with fixed shapes, or give that input's value when the network is planned");
}

std::vector<std::int64_t> NodeLowering::integers(std::size_t i, const char* what) const {
  const Array& a = constant(i, what);
  if (is_floating(a.type())) contradiction(std::string(what) + " is not of integers");
  std::vector<std::int64_t> values(static_cast<std::size_t>(a.count()));
  for (std::size_t k = 0; k < values.size(); ++k) values[k] = a.integer(static_cast<std::int64_t>(k));
  return values;
}

const OnnxAttribute* NodeLowering::attribute(const char* name) const {
  const auto it = node_.attributes.find(name);
  return it == node_.attributes.end() ? nullptr : &it->second;
}

template <class T>
static T attribute_or(const NodeLowering& node, const char* name, T otherwise) {
  const OnnxAttribute* a = node.attribute(name);
  if (a == nullptr) return otherwise;
  if (const T* value = std::get_if<T>(a)) return *value;
  node.contradiction(std::string("has an attribute '") + name + "' of the wrong type");
}

std::int64_t NodeLowering::integer(const char* name, std::int64_t otherwise) const {
  return attribute_or(*this, name, otherwise);
}
float NodeLowering::real(const char* name, float otherwise) const { return attribute_or(*this, name, otherwise); }
std::string NodeLowering::text(const char* name, const char* otherwise) const {
  return attribute_or<std::string>(*this, name, otherwise);
}
std::vector<std::int64_t> NodeLowering::list(const char* name, std::vector<std::int64_t> otherwise) const {
  return attribute_or(*this, name, std::move(otherwise));
}

std::vector<std::int64_t> NodeLowering::list_input_or_attribute(std::int64_t since, std::size_t i,
                                                                const char* name) const {
  if (opset() < since) return list(name);
  return has_input(i) ? integers(i, name) : std::vector<std::int64_t>{};
}

int NodeLowering::axis(std::int64_t axis, int rank) const {
  if (axis < -rank || axis >= rank)
    contradiction("has axis " + std::to_string(axis) + " for a tensor of " + std::to_string(rank) + " axes");
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

ValueId NodeLowering::emit(Operation operation, std::vector<ValueId> inputs, ElementType type, Shape shape) {
  const std::int64_t bytes = element_count(shape) * bytes_of(type);
  if (shape.size() > static_cast<std::size_t>(max_rank))
    unsupported("has an output of " + std::to_string(shape.size()) + " axes; at most " + std::to_string(max_rank) +
                    " are known",
                "merge axes");
  for (const std::int64_t extent : shape)
    if (extent > INT32_MAX)
      unsupported("has an output of shape " + to_text(shape) + "; an axis holds at most 2^31 - 1 elements",
                  "use a smaller input");
  Node node{node_.name, node_.op_type, std::move(operation), std::move(inputs), no_value};
  const bool folds = std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) { return is_constant(id); });
  if (!folds) {
    node.output = graph_.add_value({{}, type, std::move(shape), std::nullopt});
    graph_.nodes.push_back(node);
    return graph_.nodes.back().output;
  }
  if (bytes > largest_folded_bytes)
    unsupported("asks for a constant of " + std::to_string(bytes) + " bytes; at most 2^30 are computed",
                "export the model with constant folding off for it");
  Array result(type, shape);
  std::vector<ConstView> views;
  for (const ValueId id : node.inputs) views.push_back(view_of(*graph_.value(id).constant));
  evaluate_reference(node, views, View{type, &result.shape(), result.mutable_data()});
  return add_constant(std::move(result));
}

ValueId NodeLowering::emit_map(Function function, std::vector<ValueId> inputs, float alpha, float beta) {
  Shape shape = this->shape(inputs[0]);
  for (const ValueId id : inputs) {
    Shape wider;
    if (!broadcast(shape, this->shape(id), wider))
      contradiction("has inputs of shapes " + to_text(shape) + " and " + to_text(this->shape(id)) +
                    ", which do not broadcast");
    shape = wider;
  }
  ElementType type = graph_.value(inputs.size() == 3 && function == Function::where ? inputs[1] : inputs[0]).type;
  if ((function >= Function::equal && function <= Function::logical_xor) ||
      (function >= Function::logical_not && function <= Function::is_inf))
    type = ElementType::boolean;
  return emit(Map{function, alpha, beta, {}}, std::move(inputs), type, std::move(shape));
}

ValueId NodeLowering::emit_alias(ValueId value, Shape shape) {
  if (element_count(shape) != element_count(this->shape(value)))
    contradiction("brings " + to_text(this->shape(value)) + " to " + to_text(shape) +
                  ", which has another number of elements");
  if (shape == this->shape(value)) return value;
  return emit(Alias{}, {value}, type(value), std::move(shape));
}

ValueId NodeLowering::emit_copy(Copy copy, ValueId value, Shape shape) {
  copy.tables.resize(shape.size());
  return emit(std::move(copy), {value}, type(value), std::move(shape));
}

ValueId cast_to(NodeLowering& n, ValueId x, ElementType type) {
  return n.type(x) == type ? x : n.emit(Map{}, {x}, type, n.shape(x));
}
ValueId scalar_like(NodeLowering& n, ValueId like, double value) {
  return n.add_constant(Array::scalar(n.type(like), value));
}
ValueId permute(NodeLowering& n, ValueId x, const std::vector<int>& order) {
  if (std::is_sorted(order.begin(), order.end())) return x;
  Copy copy;
  copy.axes = order;
  Shape shape;
  for (const int axis : order) shape.push_back(n.shape(x)[static_cast<std::size_t>(axis)]);
  return n.emit_copy(std::move(copy), x, std::move(shape));
}

ValueId NodeLowering::add_constant(Array array) {
  const ElementType type = array.type();
  Shape shape = array.shape();
  return graph_.add_value({{}, type, std::move(shape), std::move(array)});
}

void NodeLowering::output(std::size_t i, ValueId value) {
  if (!wants_output(i)) return;
  names_[node_.outputs[i]] = value;
  if (graph_.value(value).name.empty()) graph_.value(value).name = node_.outputs[i];
}

void NodeLowering::fail(ErrorCode code, const std::string& what, const std::string& fix) const {
  const std::string where = node_.layer_type.empty() ? "node '" + node_.name + "' (" + node_.op_type + ", opset " +
                                                           std::to_string(model_.opset) + ")"
                                                     : "layer '" + node_.name + "' (" + node_.layer_type + ")";
  throw Failure(code, model_.source + ": " + where + " " + what, fix);
}
void NodeLowering::contradiction(const std::string& what) const {
  fail(ErrorCode::bad_data, what, "check the input's shape, or export the model again");
}
void NodeLowering::unsupported(const std::string& what, const std::string& fix) const {
  fail(ErrorCode::unsupported, what, fix);
}

}  // namespace isocenter::infer
