#pragma once
// The network as it is planned: a small typed graph in static single assignment, every shape known. ONNX's many
// operators come down to the dozen operations below (lower.hpp), passes.hpp makes fewer of them, schedule.hpp lays
// them out in memory, and an executor runs them.
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "infer/functions.hpp"
#include "infer/tensor.hpp"

namespace isocenter::infer {

using ValueId = int;
inline constexpr ValueId no_value = -1;

/// An elementwise function put behind another operation.
struct Activation {
  Function function = Function::identity;
  float alpha = 0.0F, beta = 0.0F;
  bool none() const { return function == Function::identity; }
};

/// out = then(function(inputs...)), inputs broadcast as NumPy does; a change of element type alone is `identity`.
struct Map {
  Function function = Function::identity;
  float alpha = 0.0F, beta = 0.0F;
  Activation then;
};

/// A window that slides over the spatial axes (axis 2 on). pads_end may be larger than asked for: see Pool::ceil.
struct Window {
  Shape kernel, strides, dilations, pads_begin, pads_end;
};

/// Inputs: x (n, c, spatial...), weights, [bias], [residual]. Weights are (out, in / groups, kernel...), for a
/// transposed convolution (in, out / groups, kernel...). out = then(conv(x) + bias + residual).
struct Convolution {
  Window window;
  std::int64_t groups = 1;
  bool transposed = false;
  bool bias = false;
  bool residual = false;
  Activation then;
};

struct Pool {
  enum class Kind { max, average } kind = Kind::max;
  Window window;
  bool count_pads = false;  ///< average: the padding of the model counts as zeros
};

/// Inputs: x (n, c, spatial...), scale (c), shift (c). Each of n x groups sets of c / groups channels is brought to
/// mean 0 and variance 1 (+ epsilon), then scaled and shifted by channel. groups = c is instance normalisation.
struct Normalisation {
  std::int64_t groups = 1;
  float epsilon = 1e-5F;
  Activation then;
};

/// out[i0, i1, ...] = in at the position whose axis axes[k] is tables[k][i_k] (or i_k where the table is empty);
/// a table entry of -1 gives `fill`. Transposing, slicing, padding, tiling, gathering and nearest resizing are this.
struct Copy {
  std::vector<int> axes;  ///< for each output axis the input axis, or -1: none (extent repeated)
  std::vector<std::vector<std::int32_t>> tables;  ///< for each output axis
  double fill = 0.0;
};

struct Concat {
  int axis = 0;
};

/// Separable interpolation: along axis k, out[i] = sum over t of weights[i * taps + t] * in[indices[i * taps + t]].
struct AxisTaps {
  int taps = 0;  ///< 0: the axis stays as it is
  std::vector<std::int32_t> indices;
  std::vector<float> weights;
};
struct Resample {
  std::vector<AxisTaps> axes;
};

struct Softmax {
  int axis = 0;
  bool log = false;
};

struct Reduction {
  enum class Kind {
    sum,
    mean,
    max,
    min,
    product,
    sum_squares,
    sum_abs,
    log_sum_exp,
    arg_max,
    arg_min
  } kind = Kind::mean;
  std::vector<int> axes;  ///< sorted; they stay in the output's shape with extent 1
  bool last_index = false;
};

/// Batched matrix product over the last two axes; leading axes broadcast. [bias] of extent n or 1 x n is added.
struct MatrixProduct {
  bool transpose_a = false, transpose_b = false;
  bool bias = false;
};

/// The same elements in the same order under another shape.
struct Alias {};

using Operation = std::variant<Map, Convolution, Pool, Normalisation, Copy, Concat, Resample, Softmax, Reduction,
                               MatrixProduct, Alias>;

struct Value {
  std::string name;
  ElementType type = ElementType::f32;
  Shape shape;
  std::optional<Array> constant;
};

struct Node {
  std::string name;     ///< of the ONNX node that it comes from
  std::string op_type;  ///< and its type, for messages
  Operation operation;
  std::vector<ValueId> inputs;
  ValueId output = no_value;
};

struct Graph {
  std::string source;
  std::vector<Value> values;
  std::vector<Node> nodes;  ///< each after those that it reads
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  std::map<std::string, std::string> metadata;

  const Value& value(ValueId id) const { return values[static_cast<std::size_t>(id)]; }
  Value& value(ValueId id) { return values[static_cast<std::size_t>(id)]; }
  ValueId add_value(Value v) {
    values.push_back(std::move(v));
    return static_cast<ValueId>(values.size()) - 1;
  }
};

/// The map runs in float32 lanes: no comparison, logic or choice.
bool is_float_map(const Map& map);

/// "convolution", "map add", ...: for traces and tables.
std::string kind_of(const Node& node);

}  // namespace isocenter::infer
