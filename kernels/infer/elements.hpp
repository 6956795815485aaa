#pragma once
// Elements of any type, read and written one by one: in float64, or in int64 where they are integers.
#include "infer/along_axis.hpp"
#include "infer/storage.hpp"

/// A function that is called and not taken apart: the same code for every instruction set and width of lanes.
#if defined(__CUDACC__)
#define ISOCENTER_HD_CALL __host__ __device__ inline
#else
#define ISOCENTER_HD_CALL inline __attribute__((noinline))
#endif

namespace isocenter::detail {

/// How elements of one type lie in memory.
struct ElementForm {
  enum class Kind : std::uint8_t {
    real,        ///< float32 or float64, by `bytes`
    half,        ///< float16
    brain,       ///< bfloat16
    small_real,  ///< 8 bits or 4, by the fields below
    scale,       ///< a power of two in 8 bits
    signed_whole,
    unsigned_whole,
    boolean
  } kind = Kind::real;
  std::uint8_t bytes = 4;
  std::uint8_t bits = 0;  ///< of an integer of less than a byte; else 0
  // Floating point of 8 bits and less.
  std::uint8_t mantissa_bits = 0, bias = 0;
  std::uint8_t sign = 0, nan = 0;  ///< bits; nan 0: there is none
  bool infinite = false;           ///< it has an infinity
  bool unsigned_zero = false;      ///< no negative zero: its bits mean NaN
  float largest = 0.0F;

  ISOCENTER_HD bool is_whole() const { return kind >= Kind::signed_whole; }
};

template <class T>
ISOCENTER_HD T load_as(const void* data, std::int64_t index) {
  T value;
  memcpy(&value, static_cast<const char*>(data) + index * static_cast<std::int64_t>(sizeof(T)), sizeof value);
  return value;
}
template <class T>
ISOCENTER_HD void save_as(void* data, std::int64_t index, T value) {
  memcpy(static_cast<char*>(data) + index * static_cast<std::int64_t>(sizeof(T)), &value, sizeof value);
}

ISOCENTER_HD double no_number() { return static_cast<double>(NAN); }
ISOCENTER_HD bool is_finite(double v) { return v - v == 0.0; }
ISOCENTER_HD bool has_sign(double v) {
  std::int64_t bits;
  memcpy(&bits, &v, sizeof bits);
  return bits < 0;
}

/// Out of an integer's range a cast is undefined: the nearest bound, and 0 for what is not a number. The bounds as
/// float64: those of 64 bits round up, and what reaches them is the bound.
ISOCENTER_HD std::int64_t to_whole(double value, std::int64_t low, std::int64_t high) {
  if (value != value) return 0;
  if (value <= static_cast<double>(low)) return low;
  if (value >= static_cast<double>(high)) return high;
  return static_cast<std::int64_t>(value);
}
ISOCENTER_HD std::uint64_t to_unsigned_64(double value) {
  if (!(value > 0.0)) return 0;
  return value >= 18446744073709551615.0 ? ~std::uint64_t{0} : static_cast<std::uint64_t>(value);
}

ISOCENTER_HD_CALL double decode_small(const ElementForm& f, std::uint8_t bits) {
  const auto magnitude = static_cast<std::uint8_t>(bits & (f.sign - 1));
  if (f.unsigned_zero && bits == f.nan) return no_number();
  if (f.infinite && magnitude >= 0x7C) {
    const auto infinity = static_cast<double>(INFINITY);
    return magnitude == 0x7C ? ((bits & f.sign) != 0 ? -infinity : infinity) : no_number();
  }
  if (!f.unsigned_zero && f.nan != 0 && magnitude == f.nan) return no_number();
  const int exponent = magnitude >> f.mantissa_bits, mantissa = magnitude & ((1 << f.mantissa_bits) - 1);
  const double value = exponent == 0 ? ldexp(static_cast<double>(mantissa), 1 - f.bias - f.mantissa_bits)
                                     : ldexp(static_cast<double>(mantissa + (1 << f.mantissa_bits)),
                                             exponent - f.bias - f.mantissa_bits);
  return (bits & f.sign) != 0 ? -value : value;
}

ISOCENTER_HD_CALL std::uint8_t encode_small(const ElementForm& f, double value, bool saturate) {
  const std::uint8_t sign = has_sign(value) ? f.sign : std::uint8_t{0};
  if (value != value) return f.nan != 0 ? f.nan : f.sign;
  double magnitude = fabs(value);
  const int least = 1 - f.bias;
  int exponent = 0;
  frexp(magnitude, &exponent);  // magnitude = m * 2^exponent, m in [0.5, 1)
  const int step = (exponent - 1 > least ? exponent - 1 : least) - f.mantissa_bits;
  if (is_finite(magnitude)) magnitude = ldexp(nearbyint(ldexp(magnitude, -step)), step);
  const auto largest = static_cast<double>(f.largest);
  if (magnitude > largest) {
    if (!saturate && f.nan != 0)
      return f.infinite        ? static_cast<std::uint8_t>(sign | 0x7C)
             : f.unsigned_zero ? f.nan
                               : static_cast<std::uint8_t>(sign | f.nan);
    magnitude = largest;
  }
  const int lowest = least - f.mantissa_bits;  // the step of what has no leading one
  frexp(magnitude, &exponent);
  const int units_step = magnitude == 0.0 ? lowest : (exponent - 1 > least ? exponent - 1 : least) - f.mantissa_bits;
  const auto units = static_cast<int>(ldexp(magnitude, -units_step));
  // From 2^mantissa_bits on the exponent's field counts on by itself.
  const auto bits = static_cast<std::uint8_t>(units + ((units_step - lowest) << f.mantissa_bits));
  return f.unsigned_zero && bits == 0 ? std::uint8_t{0} : static_cast<std::uint8_t>(sign | bits);
}

/// A power of two, rounded up; 255 is NaN, which infinity becomes too.
ISOCENTER_HD_CALL std::uint8_t encode_scale(double value) {
  if (!is_finite(value)) return 0xFF;
  int exponent = 0;
  const double m = frexp(fabs(value), &exponent);  // in [0.5, 1)
  if (m == 0.5) --exponent;
  const int field = exponent + 127;
  return static_cast<std::uint8_t>(m == 0 ? 0 : (field < 0 ? 0 : (field > 254 ? 254 : field)));
}

ISOCENTER_HD_CALL double read_real(const ElementForm& form, const void* data, std::int64_t i) {
  using Kind = ElementForm::Kind;
  switch (form.kind) {
    case Kind::real:
      return form.bytes == 4 ? static_cast<double>(load_as<float>(data, i)) : load_as<double>(data, i);
    case Kind::half:
      return static_cast<double>(widen_half(load_as<std::uint16_t>(data, i)));
    case Kind::brain:
      return static_cast<double>(widen(load_as<std::uint16_t>(data, i)));
    case Kind::small_real:
      return decode_small(form, load_as<std::uint8_t>(data, i));
    case Kind::scale: {
      const auto bits = load_as<std::uint8_t>(data, i);
      return bits == 0xFF ? no_number() : ldexp(1.0, bits - 127);
    }
    case Kind::signed_whole:
      if (form.bytes == 1) return load_as<std::int8_t>(data, i);
      if (form.bytes == 2) return load_as<std::int16_t>(data, i);
      if (form.bytes == 4) return load_as<std::int32_t>(data, i);
      return static_cast<double>(load_as<std::int64_t>(data, i));
    default:
      if (form.bytes == 1) return load_as<std::uint8_t>(data, i);
      if (form.bytes == 2) return load_as<std::uint16_t>(data, i);
      if (form.bytes == 4) return load_as<std::uint32_t>(data, i);
      return static_cast<double>(load_as<std::uint64_t>(data, i));
  }
}

/// Reals as saturating casts give them; uint64 by its bits.
ISOCENTER_HD_CALL std::int64_t read_whole(const ElementForm& form, const void* data, std::int64_t i) {
  if (!form.is_whole()) return to_whole(read_real(form, data, i), INT64_MIN, INT64_MAX);
  if (form.kind == ElementForm::Kind::signed_whole) {
    if (form.bytes == 1) return load_as<std::int8_t>(data, i);
    if (form.bytes == 2) return load_as<std::int16_t>(data, i);
    if (form.bytes == 4) return load_as<std::int32_t>(data, i);
    return load_as<std::int64_t>(data, i);
  }
  if (form.bytes == 1) return load_as<std::uint8_t>(data, i);
  if (form.bytes == 2) return load_as<std::uint16_t>(data, i);
  if (form.bytes == 4) return load_as<std::uint32_t>(data, i);
  return static_cast<std::int64_t>(load_as<std::uint64_t>(data, i));
}

/// Integers, bool among them; those wrap, as the type's own arithmetic does.
ISOCENTER_HD_CALL void save_whole(const ElementForm& form, void* data, std::int64_t i, std::int64_t value) {
  if (form.kind == ElementForm::Kind::boolean) return save_as<std::uint8_t>(data, i, value != 0 ? 1 : 0);
  if (form.bits != 0) {
    const std::int64_t low = value & ((1 << form.bits) - 1), top = std::int64_t{1} << (form.bits - 1);
    const bool wraps = form.kind == ElementForm::Kind::signed_whole && low >= top;
    return save_as(data, i, static_cast<std::int8_t>(wraps ? low - 2 * top : low));
  }
  if (form.bytes == 1) return save_as(data, i, static_cast<std::uint8_t>(value));
  if (form.bytes == 2) return save_as(data, i, static_cast<std::uint16_t>(value));
  if (form.bytes == 4) return save_as(data, i, static_cast<std::uint32_t>(value));
  save_as(data, i, value);
}

/// What an integer or an 8-bit floating point type cannot hold becomes its nearest bound (integers of less than 8 bits
/// wrap, as ONNX's casts do); with `saturate` false a floating point type gives infinity, or NaN where it has none.
ISOCENTER_HD_CALL void write_real(const ElementForm& form, void* data, std::int64_t i, double value,
                                  bool saturate = true) {
  using Kind = ElementForm::Kind;
  switch (form.kind) {
    case Kind::real:
      return form.bytes == 4 ? save_as(data, i, static_cast<float>(value)) : save_as(data, i, value);
    case Kind::half:
      return store(static_cast<float16*>(data) + i, static_cast<float>(value));
    case Kind::brain:
      return store(static_cast<bfloat16*>(data) + i, static_cast<float>(value));
    case Kind::small_real:
      return save_as(data, i, encode_small(form, value, saturate));
    case Kind::scale:
      return save_as(data, i, encode_scale(value));
    case Kind::boolean:
      return save_as<std::uint8_t>(data, i, value != 0.0 ? 1 : 0);
    default:
      break;
  }
  if (form.bits != 0) return save_whole(form, data, i, to_whole(value, INT64_MIN, INT64_MAX));
  const bool is_signed = form.kind == Kind::signed_whole;
  if (form.bytes == 8 && !is_signed) return save_as(data, i, to_unsigned_64(value));
  const int bits = 8 * form.bytes;
  const std::int64_t high = is_signed ? static_cast<std::int64_t>(~std::uint64_t{0} >> (65 - bits))
                                      : static_cast<std::int64_t>(~std::uint64_t{0} >> (64 - bits));
  save_whole(form, data, i, to_whole(value, is_signed ? -high - 1 : 0, high));
}

ISOCENTER_HD_CALL void write_whole(const ElementForm& form, void* data, std::int64_t i, std::int64_t value) {
  if (!form.is_whole()) return write_real(form, data, i, static_cast<double>(value));
  save_whole(form, data, i, value);
}

/// An array that a kernel reads one by one.
struct ElementSource {
  const void* data;
  ElementForm form;
  ISOCENTER_HD double real(std::int64_t i) const { return read_real(form, data, i); }
  ISOCENTER_HD std::int64_t whole(std::int64_t i) const { return read_whole(form, data, i); }
};
struct ElementTarget {
  void* data;
  ElementForm form;
  ISOCENTER_HD void real(std::int64_t i, double v) const { write_real(form, data, i, v); }
  ISOCENTER_HD void whole(std::int64_t i, std::int64_t v) const { write_whole(form, data, i, v); }
};

inline constexpr int most_axes = 8;

/// The extents of an array, slowest axis first.
struct Extents {
  int axes;
  std::int64_t at[most_axes];
};

}  // namespace isocenter::detail
