#pragma once
// ONNX files of a few nodes, written byte by byte (protobuf's wire format), so that tests do not depend on a library.
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace isocenter::infer::test::tiny {

inline std::string varint(std::uint64_t v) {
  std::string s;
  for (; v >= 128; v >>= 7) s += static_cast<char>((v & 127U) | 128U);
  return s + static_cast<char>(v);
}
/// A length-delimited protobuf field.
inline std::string field(int number, const std::string& content) {
  return varint(static_cast<std::uint64_t>(number) << 3 | 2U) + varint(content.size()) + content;
}
inline std::string number(int field_number, std::uint64_t v) {
  return varint(static_cast<std::uint64_t>(field_number) << 3) + varint(v);
}

inline std::string node(const std::string& type, const std::vector<std::string>& in, const std::string& out,
                        const std::string& attributes = "") {
  std::string s;
  for (const auto& name : in) s += field(1, name);
  return field(1, s + field(2, out) + field(3, "the_" + type) + field(4, type) + attributes);
}
inline std::string ints(const std::string& name, const std::vector<std::uint64_t>& values) {
  std::string s = field(1, name) + number(20, 7);
  for (const auto v : values) s += number(8, v);
  return field(5, s);
}
inline std::string port(int which, const std::string& name, const std::vector<std::int64_t>& dims) {
  std::string shape;
  for (const auto d : dims) shape += field(1, d > 0 ? number(1, static_cast<std::uint64_t>(d)) : field(2, "n"));
  return field(which, field(1, name) + field(2, field(1, number(1, 1) + field(2, shape))));
}
inline std::string initialiser(const std::string& name, const std::vector<std::uint64_t>& dims, const std::string& raw,
                               std::uint64_t type = 1) {
  std::string s;
  for (const auto d : dims) s += number(1, d);
  return field(5, s + number(2, type) + field(8, name) + field(9, raw));
}
/// A model around a graph's fields.
inline std::string model(const std::string& graph, std::uint64_t opset = 17) {
  return number(1, 8) + field(8, number(2, opset)) + field(7, graph);
}
inline std::string standard_ports() { return port(11, "x", {1, 2, -1, -1}) + port(12, "y", {1, 2, -1, -1}); }

inline std::string floats(const std::vector<float>& values) {
  std::string raw(values.size() * sizeof(float), '\0');
  std::memcpy(raw.data(), values.data(), raw.size());
  return raw;
}
inline std::string metadata(const std::string& key, const std::string& value) {
  return field(14, field(1, key) + field(2, value));
}

}  // namespace isocenter::infer::test::tiny
