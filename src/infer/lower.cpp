#include "infer/lower.hpp"

#include <algorithm>
#include <stdexcept>

#include "infer/reference.hpp"

namespace isocenter::infer {
namespace {

/// A file may ask for a constant of any size; more than this is refused instead of computed when the plan is made.
constexpr std::int64_t largest_folded_bytes = std::int64_t{1} << 30;

const OperatorRow* find_operator(const OnnxNode& node) {
  if (!node.domain.empty()) return nullptr;
  for (const auto rows :
       {elementwise_operators(), movement_operators(), window_operators(), resize_operators(), reduction_operators()})
    for (const auto& row : rows)
      if (node.op_type == row.type) return &row;
  return nullptr;
}

std::string list(const std::vector<std::string>& names, std::size_t at_most) {
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < at_most; ++i) text += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > at_most) text += " and " + std::to_string(names.size() - at_most) + " more";
  return text;
}

std::string declared_shape(const OnnxPort& port) {
  if (!port.shape) return "any shape";
  std::string text;
  for (const auto& d : *port.shape) {
    const std::string extent = d.extent >= 0 ? std::to_string(d.extent) : (d.symbol.empty() ? "?" : d.symbol);
    text += (text.empty() ? "" : " x ") + extent;
  }
  return text.empty() ? "scalar" : text;
}

Shape resolve_input(const OnnxModel& model, const OnnxPort& port, const LowerOptions& options) {
  const auto given = options.input_shapes.find(port.name);
  const std::string where = model.source + ": input '" + port.name + "' is declared as " + declared_shape(port);
  if (given == options.input_shapes.end()) {
    Shape shape;
    if (!port.shape) throw Failure(ErrorCode::invalid_argument, where, "give its shape when the network is planned");
    for (const auto& d : *port.shape) {
      if (d.extent < 0)
        throw Failure(ErrorCode::invalid_argument, where + ", which leaves extents free",
                      "give its shape when the network is planned");
      shape.push_back(d.extent);
    }
    return shape;
  }
  const Shape& shape = given->second;
  const std::string got = where + " and is given " + to_text(shape);
  if (!port.shape) return shape;
  if (shape.size() != port.shape->size())
    throw Failure(ErrorCode::invalid_argument,
                  got + ": " + std::to_string(shape.size()) + " axes for " + std::to_string(port.shape->size()),
                  "give it as many axes as the model has (batch, channels, then the spatial axes)");
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const std::int64_t declared = (*port.shape)[i].extent;
    if (shape[i] < 0 || (declared >= 0 && declared != shape[i]))
      throw Failure(ErrorCode::invalid_argument,
                    got + ": axis " + std::to_string(i) + (i == 1 ? " (channels)" : "") + " has " +
                        std::to_string(shape[i]) +
                        (declared >= 0 ? ", the model takes " + std::to_string(declared) : ", which is negative"),
                    declared >= 0 ? "give what the model was exported for, or export it with dynamic axes"
                                  : "give a positive extent");
  }
  return shape;
}

class Lowering {
 public:
  Lowering(const OnnxModel& model, const LowerOptions& options) : model_(model), options_(options) {
    graph_.source = model.source;
    graph_.metadata = model.metadata;
  }

  Graph run() {
    refuse_unknown_operators();
    for (const auto& [name, unused] : options_.input_shapes) check_is_input(name);
    for (const auto& port : model_.inputs) add_input(port);
    for (const auto& [name, array] : model_.initialisers)
      names_[name] = graph_.add_value({name, array.type(), array.shape(), array});
    for (const auto& node : model_.nodes) lower_node(node);
    for (const auto& port : model_.outputs) {
      const auto it = names_.find(port.name);
      if (it == names_.end())
        throw Failure(ErrorCode::bad_data, model_.source + ": no node makes the output '" + port.name + "'",
                      "export the model again; the file is damaged");
      graph_.outputs.push_back(it->second);
      if (graph_.value(it->second).name.empty()) graph_.value(it->second).name = port.name;
    }
    return std::move(graph_);
  }

 private:
  void refuse_unknown_operators() const {
    const auto unknown = unsupported_operators(model_);
    if (unknown.empty()) return;
    throw Failure(ErrorCode::unsupported,
                  model_.source + ": " + std::to_string(unknown.size()) + " of " + std::to_string(model_.nodes.size()) +
                      " nodes (opset " + std::to_string(model_.opset) +
                      ") have operators that are not supported: " + list(unknown, 8),
                  "export the model with these: " + list(supported_operators(), 1000));
  }

  void check_is_input(const std::string& name) const {
    std::vector<std::string> known;
    for (const auto& port : model_.inputs) known.push_back("'" + port.name + "'");
    if (std::none_of(model_.inputs.begin(), model_.inputs.end(), [&](const auto& p) { return p.name == name; }))
      throw Failure(ErrorCode::invalid_argument, model_.source + ": the model has no input '" + name + "'",
                    "use one of: " + list(known, 20));
  }

  void add_input(const OnnxPort& port) {
    const auto bound = options_.constant_inputs.find(port.name);
    if (bound != options_.constant_inputs.end()) {
      names_[port.name] = graph_.add_value({port.name, bound->second.type(), bound->second.shape(), bound->second});
      return;
    }
    names_[port.name] = graph_.add_value({port.name, port.type, resolve_input(model_, port, options_), std::nullopt});
    graph_.inputs.push_back(names_[port.name]);
  }

  void lower_node(const OnnxNode& node) {
    NodeLowering lowering(model_, graph_, names_, node);
    for (const auto& name : node.inputs)
      if (!name.empty() && names_.count(name) == 0)
        lowering.contradiction("reads '" + name + "', which no node before it makes");
    for (const auto& name : node.outputs)
      if (!name.empty() && names_.count(name) != 0)
        lowering.contradiction("makes '" + name + "', which is there already");
    try {
      find_operator(node)->lower(lowering);
    } catch (const std::overflow_error&) {
      lowering.contradiction("has an output of more than 2^40 elements");
    }
    for (const auto& name : node.outputs)
      if (!name.empty() && names_.count(name) == 0)
        lowering.unsupported("has an output '" + name + "' that is not computed", "export the model without it");
  }

  const OnnxModel& model_;
  const LowerOptions& options_;
  Graph graph_;
  std::map<std::string, ValueId> names_;
};

}  // namespace

std::string kind_of(const Node& node) {
  static constexpr const char* names[] = {"map",      "convolution", "pool",      "normalisation",  "copy", "concat",
                                          "resample", "softmax",     "reduction", "matrix product", "alias"};
  return names[node.operation.index()];
}

bool broadcast(const Shape& a, const Shape& b, Shape& out) {
  out.assign(std::max(a.size(), b.size()), 1);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::int64_t ea = i < a.size() ? a[a.size() - 1 - i] : 1, eb = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (ea != eb && ea != 1 && eb != 1) return false;
    out[out.size() - 1 - i] = ea == 1 ? eb : ea;
  }
  return true;
}

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

Graph lower(const OnnxModel& model, const LowerOptions& options) { return Lowering(model, options).run(); }

std::vector<std::string> unsupported_operators(const OnnxModel& model) {
  std::vector<std::string> unknown;
  for (const auto& node : model.nodes)
    if (find_operator(node) == nullptr)
      unknown.push_back("'" + node.name + "' (" + (node.domain.empty() ? "" : node.domain + ".") + node.op_type + ")");
  return unknown;
}

std::vector<std::string> supported_operators() {
  std::vector<std::string> all;
  for (const auto rows :
       {elementwise_operators(), movement_operators(), window_operators(), resize_operators(), reduction_operators()})
    for (const auto& row : rows) all.emplace_back(row.type);
  std::sort(all.begin(), all.end());
  return all;
}

ValueId NodeLowering::input(std::size_t i) const {
  if (!has_input(i)) contradiction("has no input " + std::to_string(i));
  return names_.at(node_.inputs[i]);
}

const Array& NodeLowering::constant(std::size_t i, const char* what) const {
  const Value& value = graph_.value(input(i));
  if (value.constant) return *value.constant;
  std::string names;
  for (const ValueId id : graph_inputs_behind(graph_, input(i)))
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
  throw Failure(code,
                model_.source + ": node '" + node_.name + "' (" + node_.op_type + ", opset " +
                    std::to_string(model_.opset) + ") " + what,
                fix);
}
void NodeLowering::contradiction(const std::string& what) const {
  fail(ErrorCode::bad_data, what, "check the input's shape, or export the model again");
}
void NodeLowering::unsupported(const std::string& what, const std::string& fix) const {
  fail(ErrorCode::unsupported, what, fix);
}

}  // namespace isocenter::infer
