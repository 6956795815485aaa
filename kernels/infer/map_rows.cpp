#include "infer/map_rows.hpp"

#include <cmath>
#include <cstring>
#include <utility>

namespace isocenter::detail {
namespace {

using infer::Function;
constexpr int block = 512;  // elements that are brought to float32 at once, on the stack
constexpr Pack16 lanes{};

template <class T>
ISOCENTER_HD void read_integers(const T* in, int count, const MapOperand& held, float* out) {
  for (int i = 0; i < count; ++i) out[i] = static_cast<float>(in[i] - held.zero) * held.scale;
}

ISOCENTER_HD std::int64_t bytes_of(MapOperand::Storage storage) {
  return storage == MapOperand::Storage::float32 ? 4 : (storage == MapOperand::Storage::bfloat16 ? 2 : 1);
}

/// `count` elements, then zeros up to a whole register.
ISOCENTER_HD void read(const MapOperand& from, std::int64_t row, std::int64_t column, int count, float* out) {
  const int elements = from.single ? 1 : count;
  const auto* in = static_cast<const std::byte*>(from.data) +
                   (row * from.step + (from.single ? 0 : column)) * bytes_of(from.storage);
  switch (from.storage) {
    case MapOperand::Storage::unsigned8:
      read_integers(reinterpret_cast<const std::uint8_t*>(in), elements, from, out);
      break;
    case MapOperand::Storage::signed8:
      read_integers(reinterpret_cast<const std::int8_t*>(in), elements, from, out);
      break;
    case MapOperand::Storage::bfloat16: {
      const auto* narrow = reinterpret_cast<const bfloat16*>(in);
      int i = 0;
      for (; i + Pack16::width <= elements; i += Pack16::width) store(out + i, load(lanes, narrow + i));
      for (; i < elements; ++i) out[i] = load(Scalar{}, narrow + i);
      break;
    }
    default:
      std::memcpy(out, in, static_cast<std::size_t>(elements) * sizeof(float));
  }
  const float rest = from.single ? out[0] : 0.0F;
  const int whole = (count + Pack16::width - 1) / Pack16::width * Pack16::width;
  for (int i = elements; i < whole; ++i) out[i] = rest;
}

/// Rounded half to even by the float32 whose last bit is 1, shifted, and brought into the type's range. ONNX
/// QuantizeLinear: saturate(round(x / scale) + zero).
ISOCENTER_HD void write_integers(const MapOperand& to, const float* in, int count, std::uint8_t* out) {
  const int zero = to.zero, least = to.storage == MapOperand::Storage::signed8 ? -128 : 0;
  const float low = static_cast<float>(least - zero), high = low + 255.0F, scale = to.scale;
  for (int i = 0; i < count; ++i) {
    const float v = in[i] / scale;
    const float bounded = v > low ? (v < high ? v : high) : low;
    const float shifted = bounded + 12582912.0F;  // 1.5 * 2^23
    std::uint32_t bits;
    std::memcpy(&bits, &shifted, sizeof bits);
    out[i] = static_cast<std::uint8_t>(bits + static_cast<std::uint32_t>(zero));
  }
}

ISOCENTER_HD void write(const MapOperand& to, std::int64_t row, std::int64_t column, const float* in, int count) {
  auto* out = static_cast<std::byte*>(to.data) + (row * to.step + column) * bytes_of(to.storage);
  if (to.storage == MapOperand::Storage::float32) {
    std::memcpy(out, in, static_cast<std::size_t>(count) * sizeof(float));
  } else if (to.storage == MapOperand::Storage::bfloat16) {
    auto* narrow = reinterpret_cast<bfloat16*>(out);
    int i = 0;
    for (; i + Pack16::width <= count; i += Pack16::width) store(narrow + i, load(lanes, in + i));
    for (; i < count; ++i) store(narrow + i, in[i]);
  } else {
    write_integers(to, in, count, reinterpret_cast<std::uint8_t*>(out));
  }
}

/// The loop stands inside the choice of the function, whose number is a constant there.
template <Function f>
ISOCENTER_HD void one_input(float* a, int count, float alpha, float beta) {
  for (int i = 0; i < count; i += Pack16::width) store(a + i, apply_unary(f, alpha, beta, load(lanes, a + i)));
}
template <Function f>
ISOCENTER_HD void two_inputs(float* a, const float* b, int count) {
  for (int i = 0; i < count; i += Pack16::width) store(a + i, apply_binary(f, load(lanes, a + i), load(lanes, b + i)));
}
template <int... n>
ISOCENTER_HD void apply(Function f, float* a, int count, float alpha, float beta, std::integer_sequence<int, n...>) {
  (void)((f == static_cast<Function>(n) && (one_input<static_cast<Function>(n)>(a, count, alpha, beta), true)) || ...);
}
template <int... n>
ISOCENTER_HD void apply(Function f, float* a, const float* b, int count, std::integer_sequence<int, n...>) {
  constexpr int first = static_cast<int>(Function::add);
  (void)((f == static_cast<Function>(first + n) && (two_inputs<static_cast<Function>(first + n)>(a, b, count), true)) ||
         ...);
}
using OneInput = std::make_integer_sequence<int, static_cast<int>(Function::logical_not)>;
using TwoInputs =
    std::make_integer_sequence<int, static_cast<int>(Function::prelu) - static_cast<int>(Function::add) + 1>;

ISOCENTER_HD void map_part(const MapRows& map, std::int64_t row, std::int64_t begin, std::int64_t end) {
  float a[block], b[block], c[block];
  for (std::int64_t i = begin; i < end; i += block) {
    const int count = static_cast<int>(end - i < block ? end - i : block);
    read(map.in[0], row, i, count, a);
    if (map.inputs == 1) {
      if (map.function != Function::identity) apply(map.function, a, count, map.alpha, map.beta, OneInput{});
    } else {
      read(map.in[1], row, i, count, b);
      if (map.function == Function::affine) {
        read(map.in[2], row, i, count, c);
        for (int k = 0; k < count; k += Pack16::width)
          store(a + k, load(lanes, a + k) * load(lanes, b + k) + load(lanes, c + k));
      } else {
        apply(map.function, a, b, count, TwoInputs{});
      }
    }
    if (map.then != Function::identity) apply(map.then, a, count, map.then_alpha, map.then_beta, OneInput{});
    write(map.out, row, i, a, count);
  }
}

/// `begin` to `end` of a row by the table.
void look_up(const MapRows& map, std::int64_t row, std::int64_t begin, std::int64_t end) {
  const auto* in = static_cast<const std::uint8_t*>(map.in[0].data) + row * map.in[0].step;
  auto* out = static_cast<std::uint8_t*>(map.out.data) + row * map.out.step;
  for (std::int64_t i = begin; i < end; ++i) out[i] = map.table[in[i]];
}

#if defined(__x86_64__)
__attribute__((flatten, target("avx512f,avx512bw,avx512vl,avx512dq"))) void map_avx512(const MapRows& map,
                                                                                       std::int64_t row,
                                                                                       std::int64_t begin,
                                                                                       std::int64_t end) {
  map_part(map, row, begin, end);
}
__attribute__((flatten, target("avx2"))) void map_avx2(const MapRows& map, std::int64_t row, std::int64_t begin,
                                                       std::int64_t end) {
  map_part(map, row, begin, end);
}
#endif
__attribute__((flatten)) void map_base(const MapRows& map, std::int64_t row, std::int64_t begin, std::int64_t end) {
  map_part(map, row, begin, end);
}

}  // namespace

Variants<void (*)(const MapRows&, std::int64_t, std::int64_t, std::int64_t)> map_variants() {
#if defined(__x86_64__)
  return {&map_avx512, &map_avx2, &map_base};
#else
  return {nullptr, nullptr, &map_base};
#endif
}

void run_map(const MapRows& map, std::int64_t row, std::int64_t begin, std::int64_t end) {
  static const auto run = widest_of(map_variants());
  if (map.table != nullptr) return look_up(map, row, begin, end);
  run(map, row, begin, end);
}

void fill_table(const MapRows& map, std::uint8_t (&table)[256]) {
  std::uint8_t all[256];
  for (int i = 0; i < 256; ++i) all[i] = static_cast<std::uint8_t>(i);
  MapRows once = map;
  once.in[0].data = all;
  once.out.data = table;
  once.rows = 1;
  once.columns = 256;
  once.table = nullptr;
  run_map(once, 0, 0, 256);
}

}  // namespace isocenter::detail
