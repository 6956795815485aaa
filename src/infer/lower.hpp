#pragma once
// From an ONNX file to a graph of operations for given input shapes: every operator is checked and brought down to the
// operations of graph.hpp, shapes are inferred, and what depends on constants alone is computed on the way.
#include <isocenter/error.hpp>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "infer/graph.hpp"
#include "infer/onnx_model.hpp"

namespace isocenter::infer {

struct LowerOptions {
  /// The shape of each input that has free extents; the others may be left out.
  std::map<std::string, Shape> input_shapes;
  /// Inputs that are known when the network is planned (a shape, an axis): they become constants.
  std::map<std::string, Array> constant_inputs;
  /// QLinearConv and QLinearMatMul become real products between what DequantizeLinear and QuantizeLinear do, which
  /// integers.hpp brings to integers again; the same values but where a rounding is a tie.
  bool real_products = false;
};

/// Errors: unsupported (an operator, or a form of it, by node name), bad_data (the file contradicts itself),
/// invalid_argument (an input shape that the model does not take).
Graph lower(const OnnxModel& model, const LowerOptions& options);

/// Every operator of the file that is not known, as "node (Type)"; empty when all are.
std::vector<std::string> unsupported_operators(const OnnxModel& model);
/// The ONNX operator types that are known, sorted.
std::vector<std::string> supported_operators();

/// One ONNX node being lowered. The functions of lower_*.cpp work on it.
class NodeLowering {
 public:
  NodeLowering(const OnnxModel& model, const LowerOptions& options, Graph& graph, std::map<std::string, ValueId>& names,
               const OnnxNode& node)
      : model_(model), options_(options), graph_(graph), names_(names), node_(node) {}

  const OnnxNode& node() const { return node_; }
  std::int64_t opset() const { return model_.opset; }
  const LowerOptions& options() const { return options_; }
  std::size_t input_count() const { return node_.inputs.size(); }
  std::size_t output_count() const { return node_.outputs.size(); }
  bool has_input(std::size_t i) const { return i < node_.inputs.size() && !node_.inputs[i].empty(); }
  bool wants_output(std::size_t i) const { return i < node_.outputs.size() && !node_.outputs[i].empty(); }
  ValueId input(std::size_t i) const;
  const Shape& shape(ValueId id) const { return graph_.value(id).shape; }
  ElementType type(ValueId id) const { return graph_.value(id).type; }
  int rank(ValueId id) const { return static_cast<int>(shape(id).size()); }
  bool is_constant(ValueId id) const { return graph_.value(id).constant.has_value(); }
  /// The value of an input that must be known when the network is planned.
  const Array& constant(std::size_t i, const char* what) const;
  const Array& known(ValueId id, const char* what) const;
  std::vector<std::int64_t> integers(std::size_t i, const char* what) const;

  bool has_attribute(const char* name) const { return node_.attributes.count(name) != 0; }
  std::int64_t integer(const char* name, std::int64_t otherwise) const;
  float real(const char* name, float otherwise) const;
  std::string text(const char* name, const char* otherwise) const;
  std::vector<std::int64_t> list(const char* name, std::vector<std::int64_t> otherwise = {}) const;
  const OnnxAttribute* attribute(const char* name) const;
  /// A list that is an input from opset `since` on and an attribute before; empty when there is none.
  std::vector<std::int64_t> list_input_or_attribute(std::int64_t since, std::size_t i, const char* name) const;
  /// An axis of [-rank, rank) as one of [0, rank).
  int axis(std::int64_t axis, int rank) const;

  /// Adds an operation; one whose inputs are all constant is computed at once.
  ValueId emit(Operation operation, std::vector<ValueId> inputs, ElementType type, Shape shape);
  ValueId emit_map(Function function, std::vector<ValueId> inputs, float alpha = 0.0F, float beta = 0.0F);
  ValueId emit_alias(ValueId value, Shape shape);
  ValueId emit_copy(Copy copy, ValueId value, Shape shape);
  ValueId add_constant(Array array);
  void output(std::size_t i, ValueId value);
  /// Data decide how many of the value's rows hold something: a node that reads it is refused.
  void mark_filled_up(ValueId value) { graph_.value(value).filled_up = true; }
  void set_stored(ValueId value, StoredConstant stored) {
    graph_.value(value).stored = std::make_shared<const StoredConstant>(std::move(stored));
  }

  /// "file: node 'name' (Type, opset 17): what".
  [[noreturn]] void fail(ErrorCode code, const std::string& what, const std::string& fix) const;
  [[noreturn]] void contradiction(const std::string& what) const;
  [[noreturn]] void unsupported(const std::string& what, const std::string& fix) const;

 private:
  const OnnxModel& model_;
  const LowerOptions& options_;
  Graph& graph_;
  std::map<std::string, ValueId>& names_;
  const OnnxNode& node_;
};

/// The broadcast of two shapes as NumPy does it; false when there is none.
bool broadcast(const Shape& a, const Shape& b, Shape& out);

/// Parts that several operators are made of. A reduction keeps its axes with extent 1; an empty list reduces nothing.
ValueId reduce(NodeLowering& n, ValueId x, Reduction::Kind kind, std::vector<int> axes, bool last_index = false);
/// The matrix product over the last two axes, leading ones broadcast. `bias` may be no_value.
ValueId product(NodeLowering& n, ValueId a, ValueId b, bool transpose_a, bool transpose_b, ValueId bias);
/// ONNX Conv by the node's attributes; `bias` may be no_value.
ValueId convolve(NodeLowering& n, ValueId x, ValueId weights, ValueId bias);
/// A change of element type alone; the value itself when it has the type already.
ValueId cast_to(NodeLowering& n, ValueId x, ElementType type);
/// A constant of one element, of a value's type.
ValueId scalar_like(NodeLowering& n, ValueId like, double value);
/// The axes in another order.
ValueId permute(NodeLowering& n, ValueId x, const std::vector<int>& order);
/// A copy that keeps every axis; the caller sets tables.
Copy same_axes(int rank);

struct OperatorRow {
  const char* type;
  void (*lower)(NodeLowering&);
};
// One table for each lower_*.cpp.
std::span<const OperatorRow> elementwise_operators();
std::span<const OperatorRow> movement_operators();
std::span<const OperatorRow> window_operators();
std::span<const OperatorRow> resize_operators();
std::span<const OperatorRow> reduction_operators();
std::span<const OperatorRow> composed_operators();
std::span<const OperatorRow> attention_operators();
std::span<const OperatorRow> quantised_operators();
std::span<const OperatorRow> indexing_operators();
std::span<const OperatorRow> detection_operators();
std::span<const OperatorRow> sampling_operators();
std::span<const OperatorRow> recurrent_operators();

}  // namespace isocenter::infer
