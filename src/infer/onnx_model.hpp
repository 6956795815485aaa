#pragma once
// An ONNX file as it was read: nodes with attributes, initialisers, declared inputs and outputs, metadata. No protobuf
// type leaves onnx_model.cpp. What the nodes mean is lower.hpp's matter. Caffe files come to the same
// (caffe/caffe_model.hpp).
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "infer/tensor.hpp"

namespace isocenter::infer {

struct OnnxSubgraph;
/// The last: one of a type that is not read.
using OnnxAttribute =
    std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>, std::vector<float>,
                 std::vector<std::string>, Array, std::shared_ptr<const OnnxSubgraph>, std::monostate>;

struct OnnxNode {
  std::string name;  ///< the file's name, or "<op_type> #<index>" where the file has none
  std::string op_type;
  std::string layer_type;                    ///< of the Caffe layer that it stands for; "" in an ONNX file
  std::string domain;                        ///< "" for ONNX's own operators
  std::vector<std::string> inputs, outputs;  ///< "" stands for an input or output that is left out
  std::map<std::string, OnnxAttribute> attributes;
};

/// A branch or a loop's body. It sees the names of what is around it.
struct OnnxSubgraph {
  std::vector<OnnxNode> nodes;
  std::map<std::string, Array> initialisers;
  std::vector<std::string> inputs, outputs;
};

struct OnnxDimension {
  std::int64_t extent = -1;  ///< -1: free
  std::string symbol;        ///< the file's name for a free extent
};

struct OnnxPort {
  std::string name;
  ElementType type = ElementType::f32;
  std::optional<std::vector<OnnxDimension>> shape;  ///< nothing: the file does not say
};

struct OnnxModel {
  std::string source;  ///< what messages call the file
  std::string producer;
  std::vector<std::string> layer_types;  ///< of a Caffe file: those that are known; empty for ONNX
  std::int64_t ir_version = 0;
  std::int64_t opset = 0;
  std::vector<OnnxNode> nodes;  ///< in an order in which each node comes after those that it reads
  std::map<std::string, Array> initialisers;
  std::vector<OnnxPort> inputs;  ///< without those that an initialiser fills
  std::vector<OnnxPort> outputs;
  std::map<std::string, std::string> metadata;
  bool external_data = false;  ///< some weights lie in other files, which the file's digest does not cover
};

/// TensorProto.DataType as an element type; nothing for text and complex numbers.
std::optional<ElementType> element_type_of(std::int64_t onnx_code);

/// The operator sets that lower.hpp knows.
inline constexpr std::int64_t oldest_opset = 7;
inline constexpr std::int64_t newest_opset = 28;

/// Reads a file, with external data beside it. Errors: not_found, io_error, bad_data (not ONNX, truncated,
/// contradicting itself), unsupported (opset, element type, sparse weights).
/// `hash`, where given, gets the file's SHA-256.
OnnxModel read_onnx(const std::string& path, std::string* hash = nullptr);
/// The same from memory. External data is looked for in `folder`; "" refuses it.
OnnxModel parse_onnx(std::span<const std::byte> bytes, const std::string& source, const std::string& folder);
/// One serialised TensorProto, as the ONNX project's test data holds them.
Array parse_tensor(std::span<const std::byte> bytes, const std::string& source);

}  // namespace isocenter::infer
