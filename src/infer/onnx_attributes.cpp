#include "infer/onnx_attributes.hpp"

#include <algorithm>
#include <charconv>

namespace isocenter::infer {
namespace {

/// Names between blanks. ">=18": from that opset on; "<13": before it, where the operator itself is there without the
/// attribute.
struct AttributeRow {
  std::string_view op_type;
  std::string_view names;
};

/// The operators that have attributes, from the operator schemas of opsets 7 to 28 (PyPI `onnx` 1.23.2,
/// `onnx.defs.get_all_schemas_with_history`; docs/Operators.md and docs/Changelog.md of the ONNX project).
constexpr AttributeRow rows[] = {
    {"AffineGrid", "align_corners"},
    {"ArgMax", "axis keepdims select_last_index>=12"},
    {"ArgMin", "axis keepdims select_last_index>=12"},
    {"Attention",
     "is_causal kv_num_heads left_window_size>=25 q_num_heads qk_matmul_output_mode right_window_size>=25 "
     "scale softcap softmax_precision"},
    {"AveragePool", "auto_pad ceil_mode>=10 count_include_pad dilations>=19 kernel_shape pads strides"},
    {"BatchNormalization", "epsilon momentum spatial<9 training_mode>=14"},
    {"BitShift", "direction"},
    {"Cast", "round_mode>=24 saturate>=19 to"},
    {"CastLike", "round_mode>=24 saturate>=19"},
    {"Celu", "alpha"},
    {"CenterCropPad", "axes"},
    {"Clip", "max<11 min<11"},
    {"Col2Im", "dilations pads strides"},
    {"Compress", "axis"},
    {"Concat", "axis"},
    {"Constant",
     "sparse_value>=11 value value_float>=12 value_floats>=12 value_int>=12 value_ints>=12 "
     "value_string>=12 value_strings>=12"},
    {"ConstantOfShape", "value"},
    {"Conv", "auto_pad dilations group kernel_shape pads strides"},
    {"ConvInteger", "auto_pad dilations group kernel_shape pads strides"},
    {"ConvTranspose", "auto_pad dilations group kernel_shape output_padding output_shape pads strides"},
    {"CumSum", "exclusive reverse"},
    {"DFT", "axis<20 inverse onesided"},
    {"DeformConv", "dilations group kernel_shape offset_group pads strides"},
    {"DepthToSpace", "blocksize mode>=11"},
    {"DequantizeLinear", "axis>=13 block_size>=21 output_dtype>=23"},
    {"Dropout", "ratio<12 seed>=12"},
    {"Einsum", "equation"},
    {"Elu", "alpha"},
    {"EyeLike", "dtype k"},
    {"Flatten", "axis"},
    {"GRU", "activation_alpha activation_beta activations clip direction hidden_size layout>=14 linear_before_reset"},
    {"Gather", "axis"},
    {"GatherElements", "axis"},
    {"GatherND", "batch_dims>=12"},
    {"Gelu", "approximate"},
    {"Gemm", "alpha beta transA transB"},
    {"GridSample", "align_corners mode padding_mode"},
    {"GroupNormalization", "epsilon num_groups stash_type>=21"},
    {"HardSigmoid", "alpha beta"},
    {"Hardmax", "axis"},
    {"If", "else_branch then_branch"},
    {"InstanceNormalization", "epsilon"},
    {"IsInf", "detect_negative detect_positive"},
    {"LRN", "alpha beta bias size"},
    {"LSTM", "activation_alpha activation_beta activations clip direction hidden_size input_forget layout>=14"},
    {"LayerNormalization", "axis epsilon stash_type"},
    {"LeakyRelu", "alpha"},
    {"LogSoftmax", "axis"},
    {"Loop", "body"},
    {"LpNormalization", "axis p"},
    {"LpPool", "auto_pad ceil_mode>=18 dilations>=18 kernel_shape p pads strides"},
    {"MaxPool", "auto_pad ceil_mode>=10 dilations>=10 kernel_shape pads storage_order>=8 strides"},
    {"MaxUnpool", "kernel_shape pads strides"},
    {"MeanVarianceNormalization", "axes"},
    {"Mod", "fmod"},
    {"NonMaxSuppression", "center_point_box"},
    {"OneHot", "axis"},
    {"Pad", "mode pads<11 value<11"},
    {"QLinearConv", "auto_pad dilations group kernel_shape pads strides"},
    {"QuantizeLinear", "axis>=13 block_size>=21 output_dtype>=21 precision>=23 saturate>=19"},
    {"RMSNormalization", "axis epsilon stash_type"},
    {"Range", "stash_type>=27"},
    {"ReduceL1", "axes<18 keepdims noop_with_empty_axes>=18"},
    {"ReduceL2", "axes<18 keepdims noop_with_empty_axes>=18"},
    {"ReduceLogSum", "axes<18 keepdims noop_with_empty_axes>=18"},
    {"ReduceLogSumExp", "axes<18 keepdims noop_with_empty_axes>=18"},
    {"ReduceMax", "axes<18 keepdims noop_with_empty_axes>=18"},
    {"ReduceMean", "axes<18 keepdims noop_with_empty_axes>=18"},
    {"ReduceMin", "axes<18 keepdims noop_with_empty_axes>=18"},
    {"ReduceProd", "axes<18 keepdims noop_with_empty_axes>=18"},
    {"ReduceSum", "axes<13 keepdims noop_with_empty_axes>=13"},
    {"ReduceSumSquare", "axes<18 keepdims noop_with_empty_axes>=18"},
    {"Reshape", "allowzero>=14"},
    {"Resize",
     "antialias>=18 axes>=18 coordinate_transformation_mode>=11 cubic_coeff_a>=11 exclude_outside>=11 "
     "extrapolation_value>=11 keep_aspect_ratio_policy>=18 mode nearest_mode>=11"},
    {"ReverseSequence", "batch_axis time_axis"},
    {"RoiAlign", "coordinate_transformation_mode>=16 mode output_height output_width sampling_ratio spatial_scale"},
    {"Scatter", "axis"},
    {"ScatterElements", "axis reduction>=16"},
    {"ScatterND", "reduction>=16"},
    {"Selu", "alpha gamma"},
    {"Shape", "end>=15 start>=15"},
    {"Shrink", "bias lambd"},
    {"Slice", "axes<10 ends<10 starts<10"},
    {"Softmax", "axis"},
    {"SpaceToDepth", "blocksize mode>=28"},
    {"Split", "axis num_outputs>=18 split<13"},
    {"Squeeze", "axes<13"},
    {"Swish", "alpha"},
    {"ThresholdedRelu", "alpha"},
    {"TopK", "axis k<10 largest>=11 sorted>=11"},
    {"Transpose", "perm"},
    {"Trilu", "upper"},
    {"Unique", "axis sorted"},
    {"Unsqueeze", "axes<13"},
    {"Upsample", "mode scales<9"},
};

std::int64_t number(std::string_view digits) {
  std::int64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

/// The name of one word of a row, "" where the attribute is not one of the opset.
std::string_view name_at(std::string_view word, std::int64_t opset) {
  const std::size_t end = word.find_first_of("<>");
  const std::size_t since = word.find(">="), until = word.find('<');
  if (since != std::string_view::npos && opset < number(word.substr(since + 2))) return {};
  if (until != std::string_view::npos && opset >= number(word.substr(until + 1))) return {};
  return word.substr(0, end);
}

}  // namespace

std::vector<std::string> onnx_attributes(std::string_view op_type, std::int64_t opset) {
  std::vector<std::string> names;
  for (const auto& row : rows) {
    if (row.op_type != op_type) continue;
    for (std::size_t at = 0; at < row.names.size();) {
      const std::size_t end = std::min(row.names.find(' ', at), row.names.size());
      if (const auto name = name_at(row.names.substr(at, end - at), opset); !name.empty()) names.emplace_back(name);
      at = end + 1;
    }
  }
  return names;
}

}  // namespace isocenter::infer
