#include "infer/onnx_model.hpp"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <onnx.pb.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <isocenter/error.hpp>
#include <limits>
#include <set>

#include "infer/sha256.hpp"

namespace isocenter::infer {
namespace {

using onnx::TensorProto;

[[noreturn]] void refuse(ErrorCode code, const std::string& source, const std::string& what, const std::string& fix) {
  throw Failure(code, source + ": " + what, fix);
}

struct TypeName {
  int code;
  ElementType type;
};
constexpr TypeName types[] = {{1, ElementType::f32},     {2, ElementType::u8},          {3, ElementType::i8},
                              {4, ElementType::u16},     {5, ElementType::i16},         {6, ElementType::i32},
                              {7, ElementType::i64},     {9, ElementType::boolean},     {10, ElementType::f16},
                              {11, ElementType::f64},    {12, ElementType::u32},        {13, ElementType::u64},
                              {16, ElementType::bf16},   {17, ElementType::f8e4m3fn},   {18, ElementType::f8e4m3fnuz},
                              {19, ElementType::f8e5m2}, {20, ElementType::f8e5m2fnuz}, {21, ElementType::u4},
                              {22, ElementType::i4},     {23, ElementType::f4e2m1},     {24, ElementType::f8e8m0},
                              {25, ElementType::u2},     {26, ElementType::i2}};

/// How many bits an element takes in a file.
std::int64_t packed_bits(ElementType type) {
  if (type == ElementType::i2 || type == ElementType::u2) return 2;
  if (type == ElementType::i4 || type == ElementType::u4 || type == ElementType::f4e2m1) return 4;
  return 8 * bytes_of(type);
}

/// Elements of 2 or 4 bits lie in the file several to a byte, the first in the lowest bits.
void unpack(const std::byte* packed, std::int64_t bits, Array& array) {
  const std::int64_t each = 8 / bits;
  for (std::int64_t i = 0; i < array.count(); ++i) {
    const auto value = (std::to_integer<unsigned>(packed[i / each]) >> (i % each * bits)) & ((1U << bits) - 1U);
    if (array.type() == ElementType::f4e2m1)
      array.mutable_data()[i] = static_cast<std::byte>(value);
    else
      array.set_integer(i, static_cast<std::int64_t>(value));
  }
}

ElementType element_type(int code, const std::string& source, const std::string& where) {
  if (const auto type = element_type_of(code)) return *type;
  refuse(ErrorCode::unsupported, source,
         where + " has ONNX element type " + std::to_string(code) +
             "; float16, bfloat16, float32, float64, bool and the integers of 8 to 64 bits are known",
         "export the model in float32");
}

/// Reads `bytes` of an external file, as ONNX's docs/ExternalData.md lays it down.
std::string read_external(const TensorProto& proto, std::int64_t bytes, const std::string& source,
                          const std::string& folder) {
  std::string location;
  std::int64_t offset = 0, length = bytes;
  for (const auto& entry : proto.external_data()) {
    try {
      if (entry.key() == "location") location = entry.value();
      if (entry.key() == "offset") offset = std::stoll(entry.value());
      if (entry.key() == "length") length = std::stoll(entry.value());
    } catch (const std::exception&) {
      refuse(ErrorCode::bad_data, source,
             "external data of tensor '" + proto.name() + "' has " + entry.key() + " = '" + entry.value() +
                 "', which is not a number",
             "export the model again");
    }
  }
  const std::filesystem::path relative(location);
  bool leaves = relative.is_absolute() || location.empty() || folder.empty();
  for (const auto& part : relative) leaves = leaves || part == "..";
  if (leaves)
    refuse(ErrorCode::bad_data, source,
           "external data of tensor '" + proto.name() + "' is at '" + location +
               "'; only files in the model's own folder are read",
           "put the model and its data file into one folder");
  if (length != bytes || offset < 0)
    refuse(ErrorCode::bad_data, source,
           "external data of tensor '" + proto.name() + "' has offset " + std::to_string(offset) + " and length " +
               std::to_string(length) + "; its shape needs " + std::to_string(bytes) + " bytes",
           "export the model again");
  std::ifstream in(std::filesystem::path(folder) / relative, std::ios::binary | std::ios::ate);
  if (!in || in.tellg() < offset || static_cast<std::int64_t>(in.tellg()) - offset < length)
    refuse(ErrorCode::io_error, source,
           "external data file '" + location + "' of tensor '" + proto.name() + "' is missing or ends before byte " +
               std::to_string(offset) + " + " + std::to_string(length),
           "copy the data file whole, beside the model");
  std::string data(static_cast<std::size_t>(length), '\0');
  in.seekg(offset);
  if (!in.read(data.data(), length))
    refuse(ErrorCode::io_error, source, "external data file '" + location + "' cannot be read",
           "check the file's rights");
  return data;
}

template <class Field>
void fill_from(const Field& field, Array& array, const std::string& source, const std::string& name) {
  if (field.size() != array.count())
    refuse(ErrorCode::bad_data, source,
           "tensor '" + name + "' holds " + std::to_string(field.size()) + " elements and its shape " +
               to_text(array.shape()) + " needs " + std::to_string(array.count()),
           "export the model again; the file is damaged");
  for (int i = 0; i < field.size(); ++i) {
    if constexpr (std::is_floating_point_v<std::decay_t<decltype(field.Get(0))>>)
      array.set_real(i, static_cast<double>(field.Get(i)));
    else
      array.set_integer(i, static_cast<std::int64_t>(field.Get(i)));
  }
}

Array read_tensor(const TensorProto& proto, const std::string& source, const std::string& folder) {
  const std::string where = "tensor '" + proto.name() + "'";
  const ElementType type = element_type(proto.data_type(), source, where);
  const Shape shape(proto.dims().begin(), proto.dims().end());
  std::int64_t bytes = 0;
  try {
    bytes = (element_count(shape) * packed_bits(type) + 7) / 8;
  } catch (const std::overflow_error&) {
    refuse(ErrorCode::bad_data, source, where + " has the shape " + to_text(shape),
           "export the model again; the file is damaged");
  }
  const bool external = proto.data_location() == TensorProto::EXTERNAL;
  const std::string loaded = external ? read_external(proto, bytes, source, folder) : std::string();
  const std::string& raw = external ? loaded : proto.raw_data();
  const bool is_raw = external || proto.has_raw_data();
  const std::int64_t listed = std::max({proto.float_data_size(), proto.int32_data_size(), proto.int64_data_size(),
                                        proto.double_data_size(), proto.uint64_data_size()});
  // Before memory is taken: a shape alone, without the data it promises, must not cost any.
  if (is_raw ? static_cast<std::int64_t>(raw.size()) != bytes
             : listed != (packed_bits(type) < 8 ? bytes : element_count(shape)))
    refuse(ErrorCode::bad_data, source,
           where + " holds " + std::to_string(is_raw ? static_cast<std::int64_t>(raw.size()) : listed) +
               (is_raw ? " bytes" : " elements") + ", its shape " + to_text(shape) + " of " + name_of(type) +
               " needs " + std::to_string(is_raw || packed_bits(type) < 8 ? bytes : element_count(shape)),
           "export the model again; the file is damaged");
  Array array(type, shape);
  if (packed_bits(type) < 8) {
    std::vector<std::byte> packed(static_cast<std::size_t>(bytes));
    for (std::size_t i = 0; i < packed.size(); ++i)
      packed[i] = static_cast<std::byte>(is_raw ? raw[i] : static_cast<char>(proto.int32_data(static_cast<int>(i))));
    unpack(packed.data(), packed_bits(type), array);
    return array;
  }
  if (is_raw) {
    if (bytes > 0) std::memcpy(array.mutable_data(), raw.data(), raw.size());
    return array;
  }
  switch (type) {
    case ElementType::f32:
      fill_from(proto.float_data(), array, source, proto.name());
      break;
    case ElementType::f64:
      fill_from(proto.double_data(), array, source, proto.name());
      break;
    case ElementType::i64:
      fill_from(proto.int64_data(), array, source, proto.name());
      break;
    case ElementType::u32:
    case ElementType::u64:
      fill_from(proto.uint64_data(), array, source, proto.name());
      break;
    case ElementType::f16:
    case ElementType::bf16:  // the bits themselves, each in an int32
      if (proto.int32_data_size() != array.count()) fill_from(proto.int32_data(), array, source, proto.name());
      for (int i = 0; i < proto.int32_data_size(); ++i)
        array.mutable_as<std::uint16_t>()[i] = static_cast<std::uint16_t>(proto.int32_data(i));
      break;
    case ElementType::f8e4m3fn:
    case ElementType::f8e4m3fnuz:
    case ElementType::f8e5m2:
    case ElementType::f8e5m2fnuz:
    case ElementType::f8e8m0:
      if (proto.int32_data_size() != array.count()) fill_from(proto.int32_data(), array, source, proto.name());
      for (int i = 0; i < proto.int32_data_size(); ++i)
        array.mutable_data()[i] = static_cast<std::byte>(proto.int32_data(i));
      break;
    default:
      fill_from(proto.int32_data(), array, source, proto.name());
  }
  return array;
}

std::shared_ptr<const OnnxSubgraph> read_subgraph(const onnx::GraphProto& graph, const std::string& source,
                                                  const std::string& folder);

OnnxAttribute read_attribute(const onnx::AttributeProto& a, const std::string& source, const std::string& folder) {
  using A = onnx::AttributeProto;
  switch (a.type()) {
    case A::INT:
      return a.i();
    case A::FLOAT:
      return a.f();
    case A::STRING:
      return a.s();
    case A::INTS:
      return std::vector<std::int64_t>(a.ints().begin(), a.ints().end());
    case A::FLOATS:
      return std::vector<float>(a.floats().begin(), a.floats().end());
    case A::STRINGS:
      return std::vector<std::string>(a.strings().begin(), a.strings().end());
    case A::TENSOR:
      return read_tensor(a.t(), source, folder);
    case A::GRAPH:
      return read_subgraph(a.g(), source, folder);
    default:
      return std::monostate{};  // lower.hpp refuses it by node and name
  }
}

OnnxPort read_port(const onnx::ValueInfoProto& proto, const std::string& source, const char* what) {
  OnnxPort port{proto.name(), ElementType::f32, std::nullopt};
  const std::string where = std::string(what) + " '" + proto.name() + "'";
  if (proto.has_type() && !proto.type().has_tensor_type())
    refuse(ErrorCode::unsupported, source, where + " is not a tensor (a sequence, map or optional)",
           "export a model whose inputs and outputs are tensors");
  const auto& tensor = proto.type().tensor_type();
  if (tensor.has_elem_type()) port.type = element_type(tensor.elem_type(), source, where);
  if (!tensor.has_shape()) return port;
  port.shape.emplace();
  for (const auto& dim : tensor.shape().dim()) {
    if (dim.has_dim_value() && dim.dim_value() > 0)
      port.shape->push_back({dim.dim_value(), {}});
    else
      port.shape->push_back({-1, dim.dim_param()});
  }
  return port;
}

OnnxNode read_node(const onnx::NodeProto& proto, int index, const std::string& source, const std::string& folder) {
  OnnxNode node;
  node.op_type = proto.op_type();
  node.name = proto.name().empty() ? proto.op_type() + " #" + std::to_string(index) : proto.name();
  node.domain = proto.domain() == "ai.onnx" ? "" : proto.domain();
  node.inputs.assign(proto.input().begin(), proto.input().end());
  node.outputs.assign(proto.output().begin(), proto.output().end());
  for (const auto& a : proto.attribute())
    if (!node.attributes.emplace(a.name(), read_attribute(a, source, folder)).second)
      refuse(ErrorCode::bad_data, source, "node '" + node.name + "' has two attributes '" + a.name() + "'",
             "export the model again");
  return node;
}

std::shared_ptr<const OnnxSubgraph> read_subgraph(const onnx::GraphProto& graph, const std::string& source,
                                                  const std::string& folder) {
  auto sub = std::make_shared<OnnxSubgraph>();
  for (const auto& tensor : graph.initializer())
    sub->initialisers.emplace(tensor.name(), read_tensor(tensor, source, folder));
  for (const auto& input : graph.input()) sub->inputs.push_back(input.name());
  for (const auto& output : graph.output()) sub->outputs.push_back(output.name());
  for (int i = 0; i < graph.node_size(); ++i) sub->nodes.push_back(read_node(graph.node(i), i, source, folder));
  return sub;
}

void check_versions(const onnx::ModelProto& proto, OnnxModel& model) {
  model.ir_version = proto.ir_version();
  for (const auto& set : proto.opset_import())
    if (set.domain().empty() || set.domain() == "ai.onnx") model.opset = set.version();
  if (model.opset < oldest_opset || model.opset > newest_opset)
    refuse(ErrorCode::unsupported, model.source,
           "the model uses ONNX opset " + std::to_string(model.opset) + "; opsets " + std::to_string(oldest_opset) +
               " to " + std::to_string(newest_opset) + " are known",
           "export it with opset_version=17");
}

bool has_external_data(const onnx::GraphProto& graph) {
  const auto lies_outside = [](const TensorProto& t) { return t.data_location() == TensorProto::EXTERNAL; };
  const auto reads_it = [&](const onnx::AttributeProto& a) {
    return (a.has_t() && lies_outside(a.t())) || (a.has_g() && has_external_data(a.g()));
  };
  return std::any_of(graph.initializer().begin(), graph.initializer().end(), lies_outside) ||
         std::any_of(graph.node().begin(), graph.node().end(), [&](const onnx::NodeProto& node) {
           return std::any_of(node.attribute().begin(), node.attribute().end(), reads_it);
         });
}

OnnxModel convert(const onnx::ModelProto& proto, const std::string& source, const std::string& folder) {
  OnnxModel model;
  model.source = source;
  model.producer = proto.producer_name();
  model.external_data = has_external_data(proto.graph());
  check_versions(proto, model);
  const auto& graph = proto.graph();
  if (graph.node_size() == 0 && graph.output_size() == 0)
    refuse(ErrorCode::bad_data, source, "the file has no graph", "check that it is an ONNX model and was copied whole");
  if (graph.sparse_initializer_size() > 0)
    refuse(ErrorCode::unsupported, source, "the model has sparse weights", "export it with dense weights");
  for (const auto& tensor : graph.initializer())
    if (!model.initialisers.emplace(tensor.name(), read_tensor(tensor, source, folder)).second)
      refuse(ErrorCode::bad_data, source, "two initialisers are called '" + tensor.name() + "'",
             "export the model again");
  for (const auto& input : graph.input())
    if (model.initialisers.count(input.name()) == 0) model.inputs.push_back(read_port(input, source, "input"));
  for (const auto& output : graph.output()) model.outputs.push_back(read_port(output, source, "output"));
  for (int i = 0; i < graph.node_size(); ++i) model.nodes.push_back(read_node(graph.node(i), i, source, folder));
  for (const auto& entry : proto.metadata_props()) model.metadata[entry.key()] = entry.value();
  return model;
}

template <class Message>
bool parse(std::span<const std::byte> bytes, Message& message) {
  if (bytes.empty() || bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) return false;
  google::protobuf::io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
  google::protobuf::io::CodedInputStream coded(&stream);
  return message.ParsePartialFromCodedStream(&coded) && coded.ConsumedEntireMessage();
}

}  // namespace

std::optional<ElementType> element_type_of(std::int64_t onnx_code) {
  for (const auto& t : types)
    if (t.code == onnx_code) return t.type;
  return std::nullopt;
}

OnnxModel parse_onnx(std::span<const std::byte> bytes, const std::string& source, const std::string& folder) {
  onnx::ModelProto proto;
  if (!parse(bytes, proto))
    refuse(ErrorCode::bad_data, source,
           "the file of " + std::to_string(bytes.size()) + " bytes is not an ONNX model, or was cut off",
           "copy it again, or export it again; a model above 2 GB keeps its weights in an external data file");
  return convert(proto, source, folder);
}

OnnxModel read_onnx(const std::string& path, std::string* hash) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error))
    refuse(ErrorCode::not_found, path, "there is no such model file", "check the path");
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  const auto size = static_cast<std::int64_t>(in.tellg());
  std::vector<std::byte> bytes(size > 0 ? static_cast<std::size_t>(size) : 0);
  in.seekg(0);
  if (!in || !in.read(reinterpret_cast<char*>(bytes.data()), size))
    refuse(ErrorCode::io_error, path, "the model file cannot be read", "check its rights and the disk");
  if (hash != nullptr) *hash = sha256(bytes);
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  return parse_onnx(bytes, path, folder.empty() ? "." : folder.string());
}

Array parse_tensor(std::span<const std::byte> bytes, const std::string& source) {
  TensorProto proto;
  if (!parse(bytes, proto)) refuse(ErrorCode::bad_data, source, "not an ONNX tensor", "check the file");
  return read_tensor(proto, source, "");
}

}  // namespace isocenter::infer
