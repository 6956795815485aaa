#include "infer/lower.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <stdexcept>

#include "core/text.hpp"
#include "infer/onnx_attributes.hpp"
#include "infer/reference.hpp"

namespace isocenter::infer {
namespace {

/// Unrolled loops may not make more than this.
constexpr std::size_t most_values = std::size_t{1} << 20;

std::array<std::span<const OperatorRow>, 12> operator_tables() {
  return {elementwise_operators(), movement_operators(),  window_operators(),    resize_operators(),
          reduction_operators(),   composed_operators(),  attention_operators(), quantised_operators(),
          indexing_operators(),    detection_operators(), sampling_operators(),  recurrent_operators()};
}

bool is_control_flow(const OnnxNode& node) {
  return node.domain.empty() && (node.op_type == "If" || node.op_type == "Loop");
}

const OperatorRow* find_operator(const OnnxNode& node) {
  if (!node.domain.empty()) return nullptr;
  for (const auto& rows : operator_tables())
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

void collect_unknown(const std::vector<OnnxNode>& nodes, std::vector<const OnnxNode*>& unknown) {
  for (const auto& node : nodes) {
    if (find_operator(node) == nullptr && !is_control_flow(node)) unknown.push_back(&node);
    for (const auto& [name, attribute] : node.attributes)
      if (const auto* sub = std::get_if<std::shared_ptr<const OnnxSubgraph>>(&attribute))
        collect_unknown((*sub)->nodes, unknown);
  }
}

/// In this order, also those of branches and bodies.
std::vector<const OnnxNode*> unknown_nodes(const OnnxModel& model) {
  std::vector<const OnnxNode*> unknown;
  collect_unknown(model.nodes, unknown);
  return unknown;
}

/// "; did you mean Conv?" or "": one that begins alike, since short names are all near one another.
std::string meant_by(const std::string& type, const std::vector<std::string>& known) {
  const std::string near = detail::closest(type, known);
  const auto alike = std::mismatch(type.begin(), type.end(), near.begin(), near.end()).first - type.begin();
  return 2 * static_cast<std::size_t>(alike) < std::max(type.size(), near.size()) ? "" : "; did you mean " + near + "?";
}

/// Without the bracket's end.
std::string with_type(const OnnxNode& node) {
  return "'" + node.name + "' (" + (node.domain.empty() ? "" : node.domain + ".") + node.op_type;
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
    const auto unknown = unknown_nodes(model_);
    if (unknown.empty()) return;
    const bool onnx = model_.layer_types.empty();
    const auto known = onnx ? supported_operators() : model_.layer_types;
    std::vector<std::string> nodes;
    for (const auto* node : unknown) nodes.push_back(with_type(*node) + meant_by(node->op_type, known) + ")");
    throw Failure(ErrorCode::unsupported,
                  model_.source + ": " + std::to_string(unknown.size()) + " of " + std::to_string(model_.nodes.size()) +
                      (onnx ? " nodes (opset " + std::to_string(model_.opset) + ") have operators"
                            : std::string(" nodes are of layer types")) +
                      " that are not supported: " + list(nodes, 8),
                  (onnx ? "export the model with the " + std::to_string(known.size()) +
                              " operators that docs/infer/conformance.md lists"
                        : "describe the network, as it is deployed, with the " + std::to_string(known.size()) +
                              " layer types that docs/infer/caffe.md lists"));
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
    NodeLowering lowering(model_, options_, graph_, names_, node);
    refuse_unknown_attributes(lowering);
    for (const auto& name : node.inputs)
      if (!name.empty() && names_.count(name) == 0)
        lowering.contradiction("reads '" + name + "', which no node before it makes");
    for (const auto& name : node.outputs)
      if (!name.empty() && names_.count(name) != 0)
        lowering.contradiction("makes '" + name + "', which is there already");
    try {
      if (node.op_type == "If")
        lower_if(lowering);
      else if (node.op_type == "Loop")
        lower_loop(lowering);
      else
        find_operator(node)->lower(lowering);
    } catch (const std::overflow_error&) {
      lowering.contradiction("has an output of more than 2^40 elements");
    }
    for (const auto& name : node.outputs)
      if (!name.empty() && names_.count(name) == 0)
        lowering.unsupported("has an output '" + name + "' that is not computed", "export the model without it");
  }

  /// Nothing that a file says of a node is ignored. Names that begin with two underscores are notes of whoever wrote
  /// the file (ONNX's own checker lets them pass).
  static void refuse_unknown_attributes(const NodeLowering& n) {
    const OnnxNode& node = n.node();
    const auto known = onnx_attributes(node.op_type, n.opset());
    for (const auto& [name, value] : node.attributes) {
      if (name.starts_with("__")) continue;
      if (std::find(known.begin(), known.end(), name) == known.end())
        n.unsupported("has an attribute '" + name + "' that ONNX's " + node.op_type + " does not have in this opset" +
                          detail::did_you_mean(name, known),
                      known.empty() ? "export the model without it; the operator has no attributes"
                                    : "export the model with these alone: " + list(known, known.size()));
      if (std::holds_alternative<std::monostate>(value))
        n.unsupported("has an attribute '" + name +
                          "' of a type that is not read (none, a sparse tensor, a type, or a "
                          "list of tensors or graphs)",
                      "export the model with a number, text, tensor or list of numbers there");
    }
  }

  const OnnxSubgraph& subgraph(const NodeLowering& n, const char* name) const {
    if (const auto* a = n.attribute(name))
      if (const auto* sub = std::get_if<std::shared_ptr<const OnnxSubgraph>>(a)) return **sub;
    n.contradiction(std::string("has no graph '") + name + "'");
  }

  /// Lowers the nodes of a subgraph in place. Its names are forgotten afterwards; what is around it is seen.
  std::vector<ValueId> run_subgraph(const NodeLowering& n, const OnnxSubgraph& sub,
                                    const std::vector<ValueId>& inputs) {
    const auto around = names_;
    if (inputs.size() != sub.inputs.size())
      n.contradiction("gives its body " + std::to_string(inputs.size()) + " inputs; it takes " +
                      std::to_string(sub.inputs.size()));
    for (std::size_t i = 0; i < inputs.size(); ++i) names_[sub.inputs[i]] = inputs[i];
    for (const auto& [name, array] : sub.initialisers)
      names_[name] = graph_.add_value({name, array.type(), array.shape(), array});
    for (const auto& node : sub.nodes) lower_node(node);
    if (graph_.values.size() > most_values)
      n.unsupported("unrolls to more than 2^20 values", "export the model without the loop");
    std::vector<ValueId> outputs;
    for (const auto& name : sub.outputs) {
      const auto it = names_.find(name);
      if (it == names_.end()) n.contradiction("has a body that does not make its output '" + name + "'");
      outputs.push_back(it->second);
    }
    names_ = around;
    return outputs;
  }

  /// The branch is taken when the network is planned.
  void lower_if(NodeLowering& n) {
    const Array& condition = n.constant(0, "the condition");
    const bool taken = condition.count() == 1 && condition.integer(0) != 0;
    const auto outputs = run_subgraph(n, subgraph(n, taken ? "then_branch" : "else_branch"), {});
    for (std::size_t i = 0; i < n.output_count() && i < outputs.size(); ++i) n.output(i, outputs[i]);
  }

  /// Unrolled: how often it runs must be known when the network is planned.
  void lower_loop(NodeLowering& n) {
    const OnnxSubgraph& body = subgraph(n, "body");
    const auto number = [&](const Array& a) {
      if (a.count() != 1) n.contradiction("has a count or condition of shape " + to_text(a.shape()));
      return a.integer(0);
    };
    const std::int64_t most = n.has_input(0) ? number(n.constant(0, "the trip count")) : INT64_MAX;
    bool goes_on = !n.has_input(1) || number(n.constant(1, "the condition")) != 0;
    std::vector<ValueId> carried;
    for (std::size_t i = 2; i < n.input_count(); ++i) carried.push_back(n.input(i));
    if (body.outputs.size() < 1 + carried.size()) n.contradiction("has a body of too few outputs");
    std::vector<std::vector<ValueId>> scans(body.outputs.size() - 1 - carried.size());
    for (std::int64_t trip = 0; trip < most && goes_on; ++trip) {
      std::vector<ValueId> inputs{n.add_constant(Array::scalar(ElementType::i64, static_cast<double>(trip))),
                                  n.add_constant(Array::scalar(ElementType::boolean, 1))};
      inputs.insert(inputs.end(), carried.begin(), carried.end());
      const auto outputs = run_subgraph(n, body, inputs);
      goes_on = number(n.known(outputs[0], "how often the loop runs")) != 0;
      for (std::size_t i = 0; i < carried.size(); ++i) carried[i] = outputs[1 + i];
      for (std::size_t i = 0; i < scans.size(); ++i) scans[i].push_back(outputs[1 + carried.size() + i]);
    }
    for (std::size_t i = 0; i < carried.size(); ++i) n.output(i, carried[i]);
    for (std::size_t i = 0; i < scans.size(); ++i)
      if (n.wants_output(carried.size() + i)) n.output(carried.size() + i, stacked(n, scans[i]));
  }

  /// One value of each trip, along a new first axis.
  static ValueId stacked(NodeLowering& n, std::vector<ValueId> values) {
    if (values.empty()) n.unsupported("collects the results of no trip", "export the model without the loop");
    const Shape each = n.shape(values[0]);
    const ElementType type = n.type(values[0]);
    Shape one = each;
    one.insert(one.begin(), 1);
    for (auto& v : values) {
      if (n.shape(v) != each) n.contradiction("collects " + to_text(each) + " and " + to_text(n.shape(v)));
      v = n.emit_alias(v, one);
    }
    one[0] = static_cast<std::int64_t>(values.size());
    return values.size() == 1 ? values[0] : n.emit(Concat{0}, std::move(values), type, std::move(one));
  }

  const OnnxModel& model_;
  const LowerOptions& options_;
  Graph graph_;
  std::map<std::string, ValueId> names_;
};

}  // namespace

bool broadcast(const Shape& a, const Shape& b, Shape& out) {
  out.assign(std::max(a.size(), b.size()), 1);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::int64_t ea = i < a.size() ? a[a.size() - 1 - i] : 1, eb = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (ea != eb && ea != 1 && eb != 1) return false;
    out[out.size() - 1 - i] = ea == 1 ? eb : ea;
  }
  return true;
}

Graph lower(const OnnxModel& model, const LowerOptions& options) { return Lowering(model, options).run(); }

std::vector<std::string> unsupported_operators(const OnnxModel& model) {
  std::vector<std::string> unknown;
  for (const auto* node : unknown_nodes(model)) unknown.push_back(with_type(*node) + ")");
  return unknown;
}

std::vector<std::string> supported_operators() {
  std::vector<std::string> all{"If", "Loop"};
  for (const auto& rows : operator_tables())
    for (const auto& row : rows) all.emplace_back(row.type);
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace isocenter::infer
