#pragma once
// The network as it is planned: a small typed graph in static single assignment, every shape known. ONNX's many
// operators come down to the dozen operations below (lower.hpp), passes.hpp makes fewer of them, schedule.hpp lays
// them out in memory, and an executor runs them.
#include <array>
#include <map>
#include <memory>
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

/// 8-bit integers that stand for real values, real = scale * (stored - zero); int8 or uint8.
struct Quantised {
  float scale = 0.0F;
  int zero = 0;
  bool is_signed = false;
  bool none() const { return scale == 0.0F; }
  friend bool operator==(const Quantised&, const Quantised&) = default;
};

/// The int8 that a float32 constant was dequantised from, real = scale * stored.
struct StoredConstant {
  Array values;
  std::vector<float> scales;  ///< one, or one for each position of `axis`
  int axis = 0;
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
  Quantised in;  ///< how x is read where the product is one of integers (integers.hpp)
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

/// Batched matrix product over the last two axes; leading axes broadcast. Inputs: a, b, [bias] of extent n or 1 x n,
/// [residual] of the output's shape. out = then(a b + bias + residual).
struct MatrixProduct {
  bool transpose_a = false, transpose_b = false;
  bool bias = false;
  bool residual = false;  ///< on the CPU alone, as is `then` (fuse_products)
  Activation then{};
  Quantised in;  ///< how the first factor is read where the product is one of integers (integers.hpp)
};

/// Four axes over a dense value: element (i, j, k, l) lies at `offset` + the sum of index times stride.
struct FourAxes {
  std::int64_t offset = 0;
  std::array<std::int64_t, 4> extents{}, strides{};
};

/// Inputs: q (batch, heads, queries, depth), k (batch, heads, keys, depth), v (batch, heads, keys, width), [bias] (1 or
/// batch, 1 or heads, queries, keys). out = softmax over the keys of (scale * q k^T + bias), times v. A. Vaswani et
/// al., "Attention is all you need", NIPS 2017, eq. 1.
struct Attention {
  float scale = 1.0F;
  bool bias = false;
  /// How q, k, v and out lie in values of other shapes; none: they have the four axes. On the CPU alone
  /// (read_attention_in_place).
  std::vector<FourAxes> views{};
};

/// The same elements in the same order under another shape.
struct Alias {};

/// For each window of a maximum pool the place of its maximum, counted through the whole input.
struct MaxPositions {
  Window window;
  bool column_major = false;  ///< storage_order 1: the first spatial axis fastest
};

enum class Combine : std::uint8_t { replace, add, multiply, max, min };

/// Inputs: data, indices. out = data where the position along `axis` is the index; other axes as in the indices
/// (`elements`), or the indices' shape takes the axis' place. An index below zero counts from the end.
struct GatherIndexed {
  int axis = 0;
  bool elements = false;
  bool own_positions = false;  ///< the indices are TopPositions along the axis: int64, and never outside
};
/// Inputs: data, indices (..., depth). The last axis of the indices is a position in the axes of data behind the first
/// `batch_axes`.
struct GatherPositions {
  int batch_axes = 0;
};
/// Inputs: data, indices, updates of the indices' shape, combined one after the other.
struct ScatterElements {
  int axis = 0;
  Combine combine = Combine::replace;
};
/// Inputs: data, indices (..., depth), updates. Each position of the indices takes a block of the updates.
struct ScatterPositions {
  Combine combine = Combine::replace;
};
struct CumulativeSum {
  int axis = 0;
  bool exclusive = false, reverse = false;
};
/// The positions of the k largest or smallest along an axis, the best first, the lower position first where equal.
struct TopPositions {
  int axis = 0;
  bool largest = true;
};
/// Inputs: x, lengths. The first lengths[b] positions of `time_axis` in reverse order.
struct ReverseSequence {
  int batch_axis = 1, time_axis = 0;
};
/// Inputs: boxes (n, count, 4), scores (n, classes, count), order (n, classes, count; the best score first). Output:
/// `n` times `classes` times `most` rows (image, class, box): those that are selected, then rows of -1.
struct Suppression {
  std::int64_t most = 0;  ///< of each class
  double overlap = 0.0;   ///< intersection over union with a better box, above which one is dropped
  double lowest = 0.0;    ///< scores have to be above it
  bool centred = false;   ///< boxes are (x centre, y centre, width, height), else (y, x, y, x) of two corners
};
enum class GridPadding : std::uint8_t { zeros, border, reflection };
enum class GridMode : std::uint8_t { nearest, linear, cubic };
/// Inputs: x (n, c, spatial...), grid (n, out..., axes; x first) in [-1, 1].
struct GridSample {
  GridMode mode = GridMode::linear;
  GridPadding padding = GridPadding::zeros;
  bool align_corners = false;
};
/// Inputs: x (n, c, h, w), boxes (k, 4), batch of each box (k).
struct RegionAlign {
  double scale = 1.0;
  std::int64_t samples = 0;  ///< along each axis of a bin; 0: as many as its extent, rounded up
  bool half_pixel = true, maximum = false;
};
/// Inputs: x, weights, offsets, [bias], [mask]. J. Dai et al., "Deformable convolutional networks", ICCV 2017, eq. 2.
struct DeformedConvolution {
  Window window;
  std::int64_t groups = 1, offset_groups = 1;
  bool bias = false, mask = false;
};
/// Sums of columns (n, c * kernel, blocks) where they came from.
struct ColumnsToImage {
  Window window;
};
/// Inputs: x (time, batch, in), weights, recurrent weights, [bias], [lengths], [initial h], [initial c], [peepholes];
/// see Recurrence::inputs. Output: one block with y (time, directions, batch, hidden), the last h, and of the
/// same shape the last c (LSTM) or room for a gate (GRU).
struct Recurrence {
  enum class Kind : std::uint8_t { lstm, gru } kind = Kind::lstm;
  std::int64_t hidden = 0;
  int directions = 1;
  bool backward = false;  ///< the only direction runs from the end
  bool linear_before_reset = false, coupled_gates = false;
  float clip = 0.0F;                    ///< 0: none
  std::vector<Activation> activations;  ///< for each direction: LSTM f, g, h; GRU f, g
  std::array<int, 8> inputs{};          ///< of the node, -1: not there
};

/// What plain loops alone run.
struct Loops {
  std::variant<MaxPositions, GatherIndexed, GatherPositions, ScatterElements, ScatterPositions, CumulativeSum,
               TopPositions, Suppression, ReverseSequence, GridSample, RegionAlign, DeformedConvolution, ColumnsToImage,
               Recurrence>
      what;
};

using Operation = std::variant<Map, Convolution, Pool, Normalisation, Copy, Concat, Resample, Softmax, Reduction,
                               MatrixProduct, Alias, Loops, Attention>;

struct Value {
  std::string name;
  ElementType type = ElementType::f32;
  Shape shape;
  std::optional<Array> constant;
  bool filled_up = false;  ///< data decide how many rows hold something, the others are -1: for an output alone
  std::shared_ptr<const StoredConstant> stored;  ///< of a constant that the model has as integers
  Quantised grid;  ///< a float32 value that is kept as these integers, on the CPU with precision = int8
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
