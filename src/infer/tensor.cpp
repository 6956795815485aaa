#include "infer/tensor.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <stdexcept>

namespace isocenter::infer {
namespace {

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

/// Calls f(T{}) with the C++ type of an element type; float16 and bfloat16 are not among them.
template <class F>
auto dispatch(ElementType type, F&& f) {
  switch (type) {
    case ElementType::f32:
      return f(float{});
    case ElementType::f64:
      return f(double{});
    case ElementType::i8:
    case ElementType::i4:
    case ElementType::i2:
      return f(std::int8_t{});
    case ElementType::i16:
      return f(std::int16_t{});
    case ElementType::i32:
      return f(std::int32_t{});
    case ElementType::i64:
      return f(std::int64_t{});
    case ElementType::u16:
      return f(std::uint16_t{});
    case ElementType::u32:
      return f(std::uint32_t{});
    case ElementType::u64:
      return f(std::uint64_t{});
    default:
      return f(std::uint8_t{});
  }
}

template <class T>
T load(const std::byte* data, std::int64_t index) {
  T value;
  std::memcpy(&value, data + index * static_cast<std::int64_t>(sizeof(T)), sizeof value);
  return value;
}
template <class T>
void save(std::byte* data, std::int64_t index, T value) {
  std::memcpy(data + index * static_cast<std::int64_t>(sizeof(T)), &value, sizeof value);
}

/// Out of an integer's range a cast is undefined: saturate first.
template <class T>
T to_integer(double value) {
  if (std::isnan(value)) return 0;
  const double low = static_cast<double>(std::numeric_limits<T>::min());
  const double high = static_cast<double>(std::numeric_limits<T>::max());
  if (value <= low) return std::numeric_limits<T>::min();
  if (value >= high) return std::numeric_limits<T>::max();
  return static_cast<T>(value);
}

/// Floating point of 8 bits and less. P. Micikevicius et al., "FP8 formats for deep learning", arXiv:2209.05433,
/// section 3; the variants without negative zero: B. Noune et al., arXiv:2206.02915; 4 bits and the scale alone: OCP
/// Microscaling Formats 1.0, sections 5.3.3 and 5.4.1.
struct SmallFloat {
  int mantissa_bits, bias;
  double largest;
  std::uint8_t sign, nan;  ///< bits; nan 0: there is none
  bool infinite;           ///< it has an infinity
  bool unsigned_zero;      ///< no negative zero: its bits mean NaN
};
const SmallFloat* small_float(ElementType type) {
  static constexpr SmallFloat e4m3fn{3, 7, 448, 0x80, 0x7F, false, false}, e4m3fnuz{3, 8, 240, 0x80, 0x80, false, true},
      e5m2{2, 15, 57344, 0x80, 0x7E, true, false}, e5m2fnuz{2, 16, 57344, 0x80, 0x80, false, true},
      e2m1{1, 1, 6, 0x8, 0, false, false};
  switch (type) {
    case ElementType::f8e4m3fn:
      return &e4m3fn;
    case ElementType::f8e4m3fnuz:
      return &e4m3fnuz;
    case ElementType::f8e5m2:
      return &e5m2;
    case ElementType::f8e5m2fnuz:
      return &e5m2fnuz;
    case ElementType::f4e2m1:
      return &e2m1;
    default:
      return nullptr;
  }
}

double decode(const SmallFloat& f, std::uint8_t bits) {
  const auto magnitude = static_cast<std::uint8_t>(bits & (f.sign - 1));
  if (f.unsigned_zero && bits == f.nan) return NAN;
  if (f.infinite && magnitude >= 0x7C) return magnitude == 0x7C ? ((bits & f.sign) != 0 ? -INFINITY : INFINITY) : NAN;
  if (!f.unsigned_zero && f.nan != 0 && magnitude == f.nan) return NAN;
  const int exponent = magnitude >> f.mantissa_bits, mantissa = magnitude & ((1 << f.mantissa_bits) - 1);
  const double value = exponent == 0
                           ? std::ldexp(mantissa, 1 - f.bias - f.mantissa_bits)
                           : std::ldexp(mantissa + (1 << f.mantissa_bits), exponent - f.bias - f.mantissa_bits);
  return (bits & f.sign) != 0 ? -value : value;
}

std::uint8_t encode(const SmallFloat& f, double value, bool saturate) {
  const std::uint8_t sign = std::signbit(value) ? f.sign : std::uint8_t{0};
  double magnitude = std::fabs(value);
  if (std::isnan(value)) return f.nan != 0 ? f.nan : f.sign;
  int exponent = 0;
  std::frexp(magnitude, &exponent);  // magnitude = m * 2^exponent, m in [0.5, 1)
  const int step = std::max(exponent - 1, 1 - f.bias) - f.mantissa_bits;
  if (std::isfinite(magnitude)) magnitude = std::ldexp(std::nearbyint(std::ldexp(magnitude, -step)), step);
  if (magnitude > f.largest) {
    if (!saturate && f.nan != 0)
      return f.infinite        ? static_cast<std::uint8_t>(sign | 0x7C)
             : f.unsigned_zero ? f.nan
                               : static_cast<std::uint8_t>(sign | f.nan);
    magnitude = f.largest;
  }
  const int lowest = 1 - f.bias - f.mantissa_bits;  // the step of what has no leading one
  std::frexp(magnitude, &exponent);
  const int units_step = magnitude == 0.0 ? lowest : std::max(exponent - 1, 1 - f.bias) - f.mantissa_bits;
  const auto units = static_cast<int>(std::ldexp(magnitude, -units_step));
  // From 2^mantissa_bits on the exponent's field counts on by itself.
  const auto bits = static_cast<std::uint8_t>(units + ((units_step - lowest) << f.mantissa_bits));
  return f.unsigned_zero && bits == 0 ? std::uint8_t{0} : static_cast<std::uint8_t>(sign | bits);
}

/// A power of two, rounded up; 255 is NaN, which infinity becomes too.
std::uint8_t encode_scale(double value) {
  if (!std::isfinite(value)) return 0xFF;
  int exponent = 0;
  const double m = std::frexp(std::fabs(value), &exponent);  // in [0.5, 1)
  if (m == 0.5) --exponent;
  return static_cast<std::uint8_t>(m == 0 ? 0 : std::clamp(exponent + 127, 0, 254));
}

/// The width of an integer of less than a byte; 0 for the others.
int narrow_bits(ElementType type) {
  if (type == ElementType::i4 || type == ElementType::u4) return 4;
  return type == ElementType::i2 || type == ElementType::u2 ? 2 : 0;
}
bool narrow_signed(ElementType type) { return type == ElementType::i4 || type == ElementType::i2; }

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

double read_real(ElementType type, const std::byte* data, std::int64_t index) {
  if (type == ElementType::f16) return half_to_float(load<std::uint16_t>(data, index));
  if (type == ElementType::bf16) return bfloat16_to_float(load<std::uint16_t>(data, index));
  if (const SmallFloat* f = small_float(type)) return decode(*f, load<std::uint8_t>(data, index));
  if (type == ElementType::f8e8m0) {
    const auto bits = load<std::uint8_t>(data, index);
    return bits == 0xFF ? NAN : std::ldexp(1.0, bits - 127);
  }
  return dispatch(type, [&](auto t) { return static_cast<double>(load<decltype(t)>(data, index)); });
}

std::int64_t read_integer(ElementType type, const std::byte* data, std::int64_t index) {
  if (is_floating(type)) return to_integer<std::int64_t>(read_real(type, data, index));
  return dispatch(type, [&](auto t) { return static_cast<std::int64_t>(load<decltype(t)>(data, index)); });
}

void write_real(ElementType type, std::byte* data, std::int64_t index, double value, bool saturate) {
  if (type == ElementType::f16) return save(data, index, float_to_half(static_cast<float>(value)));
  if (type == ElementType::bf16) return save(data, index, float_to_bfloat16(static_cast<float>(value)));
  if (type == ElementType::boolean) return save<std::uint8_t>(data, index, value != 0.0 ? 1 : 0);
  if (const SmallFloat* f = small_float(type)) return save(data, index, encode(*f, value, saturate));
  if (type == ElementType::f8e8m0) return save(data, index, encode_scale(value));
  if (narrow_bits(type) != 0) return write_integer(type, data, index, to_integer<std::int64_t>(value));
  dispatch(type, [&](auto t) {
    using T = decltype(t);
    if constexpr (std::is_floating_point_v<T>)
      save(data, index, static_cast<T>(value));
    else
      save(data, index, to_integer<T>(value));
  });
}

void write_integer(ElementType type, std::byte* data, std::int64_t index, std::int64_t value) {
  if (is_floating(type)) return write_real(type, data, index, static_cast<double>(value));
  if (type == ElementType::boolean) return save<std::uint8_t>(data, index, value != 0 ? 1 : 0);
  if (const int bits = narrow_bits(type); bits != 0) {
    const std::int64_t low = value & ((1 << bits) - 1), top = std::int64_t{1} << (bits - 1);
    return save(data, index, static_cast<std::int8_t>(narrow_signed(type) && low >= top ? low - 2 * top : low));
  }
  dispatch(type, [&](auto t) { save(data, index, static_cast<decltype(t)>(value)); });
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
