#include "infer/tensor.hpp"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "infer/element_form.hpp"

namespace isocenter::infer {
namespace {

using isocenter::detail::ElementForm;

struct TypeRow {
  const char* name;
  std::int64_t bytes;
  bool floating;
};
constexpr TypeRow rows[] = {
    {"float32", 4, true},        {"float64", 8, true},      {"float16", 2, true},        {"bfloat16", 2, true},
    {"int8", 1, false},          {"int16", 2, false},       {"int32", 4, false},         {"int64", 8, false},
    {"uint8", 1, false},         {"uint16", 2, false},      {"uint32", 4, false},        {"uint64", 8, false},
    {"bool", 1, false},          {"float8e4m3fn", 1, true}, {"float8e4m3fnuz", 1, true}, {"float8e5m2", 1, true},
    {"float8e5m2fnuz", 1, true}, {"float8e8m0", 1, true},   {"float4e2m1", 1, true},     {"int4", 1, false},
    {"uint4", 1, false},         {"int2", 1, false},        {"uint2", 1, false}};
const TypeRow& row(ElementType type) { return rows[static_cast<std::size_t>(type)]; }

/// Floating point of 8 bits and less. P. Micikevicius et al., "FP8 formats for deep learning", arXiv:2209.05433,
/// section 3; the variants without negative zero: B. Noune et al., arXiv:2206.02915; 4 bits and the scale alone: OCP
/// Microscaling Formats 1.0, sections 5.3.3 and 5.4.1.
ElementForm small_real(std::uint8_t mantissa_bits, std::uint8_t bias, float largest, std::uint8_t sign,
                       std::uint8_t nan, bool infinite, bool unsigned_zero) {
  return {ElementForm::Kind::small_real, 1, 0, mantissa_bits, bias, sign, nan, infinite, unsigned_zero, largest};
}

ElementForm make_form(ElementType type) {
  using Kind = ElementForm::Kind;
  const auto bytes = static_cast<std::uint8_t>(row(type).bytes);
  switch (type) {
    case ElementType::f32:
    case ElementType::f64:
      return {Kind::real, bytes};
    case ElementType::f16:
      return {Kind::half, bytes};
    case ElementType::bf16:
      return {Kind::brain, bytes};
    case ElementType::f8e4m3fn:
      return small_real(3, 7, 448, 0x80, 0x7F, false, false);
    case ElementType::f8e4m3fnuz:
      return small_real(3, 8, 240, 0x80, 0x80, false, true);
    case ElementType::f8e5m2:
      return small_real(2, 15, 57344, 0x80, 0x7E, true, false);
    case ElementType::f8e5m2fnuz:
      return small_real(2, 16, 57344, 0x80, 0x80, false, true);
    case ElementType::f4e2m1:
      return small_real(1, 1, 6, 0x8, 0, false, false);
    case ElementType::f8e8m0:
      return {Kind::scale, bytes};
    case ElementType::boolean:
      return {Kind::boolean, bytes};
    case ElementType::i4:
      return {Kind::signed_whole, bytes, 4};
    case ElementType::i2:
      return {Kind::signed_whole, bytes, 2};
    case ElementType::u4:
      return {Kind::unsigned_whole, bytes, 4};
    case ElementType::u2:
      return {Kind::unsigned_whole, bytes, 2};
    case ElementType::u8:
    case ElementType::u16:
    case ElementType::u32:
    case ElementType::u64:
      return {Kind::unsigned_whole, bytes};
    default:
      return {Kind::signed_whole, bytes};
  }
}

}  // namespace

std::int64_t bytes_of(ElementType type) { return row(type).bytes; }
const char* name_of(ElementType type) { return row(type).name; }
bool is_floating(ElementType type) { return row(type).floating; }

std::int64_t element_count(const Shape& shape) {
  constexpr std::int64_t limit = std::int64_t{1} << 40;
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) {
    if (extent == 0) return 0;
    if (extent < 0 || count > limit / extent) throw std::overflow_error("the shape has more than 2^40 elements");
    count *= extent;
  }
  return count;
}

Shape dense_strides(const Shape& shape) {
  Shape strides(shape.size());
  std::int64_t step = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    strides[i] = step;
    step *= shape[i];
  }
  return strides;
}

std::string to_text(const Shape& shape) {
  if (shape.empty()) return "scalar";
  std::string text;
  for (const std::int64_t extent : shape)
    text += (text.empty() ? "" : " x ") + (extent < 0 ? std::string("?") : std::to_string(extent));
  return text;
}

float bfloat16_to_float(std::uint16_t bits) { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

std::uint16_t float_to_bfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>((bits >> 16) | 0x40U);
  return static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);  // to nearest, ties to even
}

float half_to_float(std::uint16_t bits) {
  const bool negative = (bits & 0x8000U) != 0;
  const int exponent = (bits >> 10) & 0x1F;
  const auto mantissa = static_cast<float>(bits & 0x3FFU);
  float value = 0.0F;
  if (exponent == 31)
    value = mantissa == 0.0F ? INFINITY : NAN;
  else if (exponent == 0)
    value = std::ldexp(mantissa, -24);
  else
    value = std::ldexp(mantissa + 1024.0F, exponent - 25);
  return negative ? -value : value;
}

std::uint16_t float_to_half(float value) {
  const auto sign = static_cast<std::uint16_t>((std::bit_cast<std::uint32_t>(value) >> 16) & 0x8000U);
  const float magnitude = std::fabs(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>(sign | 0x7E00U);
  if (magnitude >= 65520.0F) return static_cast<std::uint16_t>(sign | 0x7C00U);
  if (magnitude == 0.0F) return sign;
  int exponent = 0;
  std::frexp(magnitude, &exponent);  // magnitude = m * 2^exponent, m in [0.5, 1)
  const int step = std::max(exponent - 11, -24);
  const auto units = static_cast<std::uint32_t>(std::nearbyint(std::ldexp(magnitude, -step)));
  // units counts steps of 2^step; for a normal number they run from 1024 to 2048, and a carry to 2048 moves on by
  // itself.
  const std::uint32_t bits = step == -24 ? units : (static_cast<std::uint32_t>(step + 24) << 10) + units;
  return static_cast<std::uint16_t>(sign | bits);
}

const ElementForm& form_of(ElementType type) {
  static const auto forms = [] {
    std::array<ElementForm, std::size(rows)> all;
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = make_form(static_cast<ElementType>(i));
    return all;
  }();
  return forms[static_cast<std::size_t>(type)];
}

double read_real(ElementType type, const std::byte* data, std::int64_t index) {
  if (type == ElementType::f16) return half_to_float(isocenter::detail::load_as<std::uint16_t>(data, index));
  if (type == ElementType::bf16) return bfloat16_to_float(isocenter::detail::load_as<std::uint16_t>(data, index));
  return isocenter::detail::read_real(form_of(type), data, index);
}
std::int64_t read_integer(ElementType type, const std::byte* data, std::int64_t index) {
  return isocenter::detail::read_whole(form_of(type), data, index);
}
void write_real(ElementType type, std::byte* data, std::int64_t index, double value, bool saturate) {
  using isocenter::detail::save_as;
  if (type == ElementType::f16) return save_as(data, index, float_to_half(static_cast<float>(value)));
  if (type == ElementType::bf16) return save_as(data, index, float_to_bfloat16(static_cast<float>(value)));
  isocenter::detail::write_real(form_of(type), data, index, value, saturate);
}
void write_integer(ElementType type, std::byte* data, std::int64_t index, std::int64_t value) {
  isocenter::detail::write_whole(form_of(type), data, index, value);
}

Array::Array(ElementType type, Shape shape) : type_(type), shape_(std::move(shape)), count_(element_count(shape_)) {
  data_ = std::make_shared<std::byte[]>(static_cast<std::size_t>(bytes()) + 1);  // never empty: zero extents are legal
}

Array Array::of(const std::vector<std::int64_t>& values) {
  Array a(ElementType::i64, {static_cast<std::int64_t>(values.size())});
  if (!values.empty()) std::memcpy(a.mutable_data(), values.data(), values.size() * sizeof(std::int64_t));
  return a;
}

Array Array::of(Shape shape, const std::vector<float>& values) {
  Array a(ElementType::f32, std::move(shape));
  if (a.count() != static_cast<std::int64_t>(values.size()))
    throw std::logic_error("Array::of: values and shape differ");
  if (!values.empty()) std::memcpy(a.mutable_data(), values.data(), values.size() * sizeof(float));
  return a;
}

Array Array::scalar(ElementType type, double value) {
  Array a(type, {});
  a.set_real(0, value);
  return a;
}

double Array::real(std::int64_t i) const { return read_real(type_, data_.get(), i); }
std::int64_t Array::integer(std::int64_t i) const { return read_integer(type_, data_.get(), i); }
void Array::set_real(std::int64_t i, double value) { write_real(type_, data_.get(), i, value); }
void Array::set_integer(std::int64_t i, std::int64_t value) { write_integer(type_, data_.get(), i, value); }

Array Array::reshaped(Shape shape) const {
  if (element_count(shape) != count_) throw std::logic_error("Array::reshaped: another number of elements");
  Array a = *this;
  a.shape_ = std::move(shape);
  return a;
}

}  // namespace isocenter::infer
