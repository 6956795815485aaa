#include "infer/model_report.hpp"

#include <algorithm>
#include <cstdio>

#include "core/text.hpp"
#include "infer/caffe/caffe_model.hpp"
#include "infer/passes.hpp"
#include "infer/schedule.hpp"

namespace isocenter::infer {
namespace {

using isocenter::detail::format_bytes;
using isocenter::detail::JsonWriter;

void count_operators(const std::vector<OnnxNode>& nodes, std::map<std::string, int>& counts) {
  for (const auto& node : nodes) {
    ++counts[node.domain.empty() || !node.layer_type.empty() ? node.op_type : node.domain + "." + node.op_type];
    for (const auto& [name, attribute] : node.attributes)
      if (const auto* sub = std::get_if<std::shared_ptr<const OnnxSubgraph>>(&attribute))
        count_operators((*sub)->nodes, counts);
  }
}

ModelCost cost_of(Graph graph) {
  ModelCost cost;
  for (const ValueId id : graph.inputs) cost.inputs.emplace_back(graph.value(id).name, graph.value(id).shape);
  for (const ValueId id : graph.outputs) cost.outputs.emplace_back(graph.value(id).name, graph.value(id).shape);
  cost.operations = count_operations(graph);
  Graph on_cuda = graph;
  optimise(on_cuda);
  for (const Node& node : on_cuda.nodes)
    if (!std::holds_alternative<Alias>(node.operation) && !has_kernel(on_cuda, node))
      cost.not_on_cuda.push_back("'" + node.name + "' (" + node.op_type + ")");
  for (const ValueId id : on_cuda.outputs)
    if (on_cuda.value(id).constant) cost.not_on_cuda.push_back("output '" + on_cuda.value(id).name + "' (a constant)");
  cost.cpu = plan_cpu(std::move(graph), {})->summary();
  return cost;
}

std::string declared(const OnnxPort& port) {
  if (!port.shape) return "any shape";
  std::string text;
  for (const auto& d : *port.shape)
    text +=
        (text.empty() ? "" : " x ") + (d.extent >= 0 ? std::to_string(d.extent) : (d.symbol.empty() ? "?" : d.symbol));
  return text.empty() ? "scalar" : text;
}

void write_ports(JsonWriter& json, const char* key, const std::vector<OnnxPort>& ports) {
  json.key(key).begin_array();
  for (const auto& port : ports)
    json.begin_object()
        .field("name", port.name)
        .field("type", name_of(port.type))
        .field("shape", declared(port))
        .end_object();
  json.end_array();
}

void write_list(JsonWriter& json, const char* key, const std::vector<std::string>& words) {
  json.key(key).begin_array();
  for (const auto& word : words) json.value(word);
  json.end_array();
}

void write_shapes(JsonWriter& json, const char* key, const std::vector<std::pair<std::string, Shape>>& shapes) {
  json.key(key).begin_object();
  for (const auto& [name, shape] : shapes) {
    json.key(name).begin_array();
    for (const std::int64_t e : shape) json.value(static_cast<long long>(e));
    json.end_array();
  }
  json.end_object();
}

std::string scaled(double v, const char* unit) {
  static constexpr const char* prefixes[] = {"", " thousand", " million", " billion", " trillion"};
  std::size_t k = 0;
  for (; v >= 1000 && k < 4; ++k) v /= 1000;
  char text[64];
  std::snprintf(text, sizeof text, "%.3g%s%s", v, prefixes[k], unit);
  return text;
}

std::string named(const std::vector<std::string>& nodes, const char* none) {
  constexpr std::size_t most = 12;
  if (nodes.empty()) return none;
  std::string text = std::to_string(nodes.size()) + ": ";
  for (std::size_t i = 0; i < nodes.size() && i < most; ++i) text += (i == 0 ? "" : ", ") + nodes[i];
  return nodes.size() > most ? text + " and " + std::to_string(nodes.size() - most) + " more" : text;
}

}  // namespace

double count_operations(const Graph& graph) {
  double sum = 0;
  for (const Node& node : graph.nodes) {
    const Shape& out = graph.value(node.output).shape;
    if (const auto* conv = std::get_if<Convolution>(&node.operation)) {
      // Every weight meets every output position, transposed: every input position.
      const Shape& at = conv->transposed ? graph.value(node.inputs[0]).shape : out;
      double positions = static_cast<double>(at[0]);
      for (std::size_t k = 2; k < at.size(); ++k) positions *= static_cast<double>(at[k]);
      sum += 2 * positions * static_cast<double>(element_count(graph.value(node.inputs[1]).shape));
    } else if (const auto* product = std::get_if<MatrixProduct>(&node.operation)) {
      const Shape& a = graph.value(node.inputs[0]).shape;
      const std::int64_t k = a[a.size() - (product->transpose_a ? 2 : 1)];
      sum += 2 * static_cast<double>(element_count(out)) * static_cast<double>(k);
    }
  }
  return sum;
}

ModelReport inspect_model(const std::string& path, const std::map<std::string, Shape>& shapes) {
  ModelReport report;
  report.model = read_model(path, &report.hash);
  count_operators(report.model.nodes, report.operators);
  for (const auto& [name, array] : report.model.initialisers)
    if (is_floating(array.type())) report.parameters += array.count();
  report.unsupported = unsupported_operators(report.model);
  if (!report.unsupported.empty()) {
    report.no_cost = "it has operators that are not supported";
    return report;
  }
  for (const auto& port : report.model.inputs) {
    const bool free =
        !port.shape || std::any_of(port.shape->begin(), port.shape->end(), [](const auto& d) { return d.extent < 0; });
    if (free && shapes.count(port.name) == 0)
      report.no_cost += (report.no_cost.empty() ? "give the shape of '" : "', '") + port.name;
  }
  for (const auto& [name, shape] : shapes) {
    const auto is_named = [&name = name](const auto& port) { return port.name == name; };
    if (std::any_of(report.model.inputs.begin(), report.model.inputs.end(), is_named)) continue;
    std::string inputs;
    for (const auto& port : report.model.inputs) inputs += (inputs.empty() ? "'" : ", '") + port.name + "'";
    throw Failure(ErrorCode::invalid_argument, "shapes: the model has no input '" + name + "'",
                  "its inputs: " + inputs);
  }
  if (!report.no_cost.empty()) {
    report.no_cost += "', which the file leaves free";
    return report;
  }
  report.cost = cost_of(lower(report.model, {.input_shapes = shapes, .constant_inputs = {}}));
  return report;
}

std::string to_json(const ModelReport& report) {
  JsonWriter json;
  json.begin_object().field("file", report.model.source).field("sha256", report.hash);
  json.field("producer", report.model.producer).field("opset", static_cast<long long>(report.model.opset));
  write_ports(json, "inputs", report.model.inputs);
  write_ports(json, "outputs", report.model.outputs);
  json.field("parameters", static_cast<long long>(report.parameters));
  json.key("operators").begin_object();
  for (const auto& [name, count] : report.operators) json.field(name, static_cast<long long>(count));
  json.end_object();
  write_list(json, "unsupported", report.unsupported);
  if (report.cost) {
    const ModelCost& cost = *report.cost;
    json.key("plan").begin_object();
    write_shapes(json, "inputs", cost.inputs);
    write_shapes(json, "outputs", cost.outputs);
    json.field("operations", cost.operations);
    json.field("arena_bytes", static_cast<long long>(cost.cpu.arena_bytes));
    json.field("weights_bytes", static_cast<long long>(cost.cpu.constant_bytes));
    json.field("engine", cost.cpu.engine);
    write_list(json, "in_plain_loops", cost.cpu.reference_nodes);
    write_list(json, "not_on_cuda", cost.not_on_cuda);
    json.end_object();
  } else {
    json.field("no_plan", report.no_cost);
  }
  return json.end_object().text();
}

std::string to_lines(const ModelReport& report) {
  const OnnxModel& m = report.model;
  std::string text = m.source + ": ";
  text += m.layer_types.empty() ? "ONNX opset " + std::to_string(m.opset) : "Caffe, as nodes of ONNX's operators";
  if (m.layer_types.empty() && !m.producer.empty()) text += ", written by " + m.producer;
  text += "\nsha256      " + report.hash + "\n";
  for (const auto* ports : {&m.inputs, &m.outputs})
    for (const auto& port : *ports)
      text += std::string(ports == &m.inputs ? "input       '" : "output      '") + port.name + "' " +
              name_of(port.type) + " " + declared(port) + "\n";
  text += "parameters  " + scaled(static_cast<double>(report.parameters), "") + "\noperators  ";
  for (const auto& [name, count] : report.operators)
    text += " " + name + (count > 1 ? " x" + std::to_string(count) : "");
  text += "\nunsupported " + named(report.unsupported, "none") + "\n";
  if (!report.cost) return text + "plan        none: " + report.no_cost + "\n";
  const ModelCost& cost = *report.cost;
  text += "planned for";
  for (const auto& [name, shape] : cost.inputs) text += " '" + name + "' " + to_text(shape);
  text += "\noperations  " + scaled(cost.operations, " an inference") + "\n";
  text += "memory      " + format_bytes(static_cast<unsigned long long>(cost.cpu.arena_bytes)) + " of values and " +
          format_bytes(static_cast<unsigned long long>(cost.cpu.constant_bytes)) + " of weights\n";
  text += "cpu         " + cost.cpu.engine + "; in plain loops " + named(cost.cpu.reference_nodes, "none") + "\n";
  return text + "cuda        refused " + named(cost.not_on_cuda, "none") + "\n";
}

}  // namespace isocenter::infer
