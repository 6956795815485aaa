#pragma once
// Element types, shapes and host arrays: what a network file and its plan are described with.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace isocenter::infer {

/// Those of less than a byte lie in memory as one byte each.
enum class ElementType : std::uint8_t {
  f32,
  f64,
  f16,
  bf16,
  i8,
  i16,
  i32,
  i64,
  u8,
  u16,
  u32,
  u64,
  boolean,
  f8e4m3fn,
  f8e4m3fnuz,
  f8e5m2,
  f8e5m2fnuz,
  f8e8m0,
  f4e2m1,
  i4,
  u4,
  i2,
  u2
};
/// The types of 8 bits and less but for int8, uint8 and bool: casts and quantisation take them, and nothing else.
inline constexpr bool is_storage_type(ElementType t) { return t >= ElementType::f8e4m3fn; }

std::int64_t bytes_of(ElementType type);
/// "float32", "int64", ... as messages write it.
const char* name_of(ElementType type);
bool is_floating(ElementType type);

/// Extents, slowest axis first. A rank-0 shape is a scalar of one element.
using Shape = std::vector<std::int64_t>;

/// The product of the extents; throws std::overflow_error above 2^40, which no plan can hold.
std::int64_t element_count(const Shape& shape);
/// Elements between neighbours of each axis when the last axis is fastest.
Shape dense_strides(const Shape& shape);
/// "1 x 3 x 64 x 64"; "scalar" for rank 0.
std::string to_text(const Shape& shape);

float half_to_float(std::uint16_t bits);
std::uint16_t float_to_half(float value);
float bfloat16_to_float(std::uint16_t bits);
std::uint16_t float_to_bfloat16(float value);

/// A dense host array, last axis fastest. Copies share the storage; it is filled once, by whoever made it.
class Array {
 public:
  Array() = default;
  /// Zeros.
  Array(ElementType type, Shape shape);
  static Array of(const std::vector<std::int64_t>& values);  ///< rank 1, int64
  static Array of(Shape shape, const std::vector<float>& values);
  static Array scalar(ElementType type, double value);

  ElementType type() const { return type_; }
  const Shape& shape() const { return shape_; }
  std::int64_t count() const { return count_; }
  std::int64_t bytes() const { return count_ * bytes_of(type_); }
  const std::byte* data() const { return data_.get(); }
  std::byte* mutable_data() { return data_.get(); }
  template <class T>
  const T* as() const {
    return reinterpret_cast<const T*>(data_.get());
  }
  template <class T>
  T* mutable_as() {
    return reinterpret_cast<T*>(data_.get());
  }
  /// Element i as float64 or int64, whatever the type; i counts in memory order.
  double real(std::int64_t i) const;
  std::int64_t integer(std::int64_t i) const;
  void set_real(std::int64_t i, double value);
  void set_integer(std::int64_t i, std::int64_t value);
  /// The same elements under another shape of the same count.
  Array reshaped(Shape shape) const;

 private:
  ElementType type_ = ElementType::f32;
  Shape shape_;
  std::int64_t count_ = 0;
  std::shared_ptr<std::byte[]> data_;
};

double read_real(ElementType type, const std::byte* data, std::int64_t index);
std::int64_t read_integer(ElementType type, const std::byte* data, std::int64_t index);
/// What an integer or an 8-bit floating point type cannot hold becomes its nearest bound (integers of less than 8 bits
/// wrap, as ONNX's casts do); with `saturate` false a
/// floating point type gives infinity, or NaN where it has none.
void write_real(ElementType type, std::byte* data, std::int64_t index, double value, bool saturate = true);
/// Integers wrap, as the type's own arithmetic does.
void write_integer(ElementType type, std::byte* data, std::int64_t index, std::int64_t value);

}  // namespace isocenter::infer
