#include "infer/rows.hpp"

#include <cmath>

#include "infer/pack16.hpp"

namespace isocenter::detail {
namespace {

constexpr int width = Pack16::width;
constexpr Pack16 lanes{};

/// Calls whole(i) for each sixteen elements and rest(i) for those that are left.
template <class Whole, class Rest>
ISOCENTER_HD void along(int count, Whole whole, Rest rest) {
  int i = 0;
  for (; i + width <= count; i += width) whole(i);
  for (; i < count; ++i) rest(i);
}

/// The sum of term(x) over a row, in four times sixteen lanes.
template <class T, class Term>
ISOCENTER_HD float sum_over(const T* row, int count, Term term) {
  float16x sums[4] = {};
  int i = 0;
  for (; i + 4 * width <= count; i += 4 * width)
    for (int k = 0; k < 4; ++k) sums[k] += term(load(lanes, row + i + k * width));
  for (; i + width <= count; i += width) sums[0] += term(load(lanes, row + i));
  float rest = 0.0F;
  for (; i < count; ++i) rest += term(load(Scalar{}, row + i));
  return sum_of((sums[0] + sums[1]) + (sums[2] + sums[3])) + rest;
}

template <class In, class Out>
ISOCENTER_HD void layer_norm(const LayerNormRows& rows, std::int64_t begin, std::int64_t end) {
  const auto count = static_cast<float>(rows.count);
  for (std::int64_t r = begin; r < end; ++r) {
    const In* in = static_cast<const In*>(rows.in.data) + r * rows.in.step;
    Out* out = static_cast<Out*>(rows.out.data) + r * rows.out.step;
    const float mean = sum_over(in, rows.count, [](auto v) { return v; }) / count;
    const float variance = sum_over(in, rows.count, [mean](auto v) { return (v - mean) * (v - mean); }) / count;
    const float factor = 1.0F / std::sqrt(variance + rows.epsilon);
    const auto apply = [&](auto kind, int i) {
      store(out + i, (load(kind, in + i) - mean) * factor * load(kind, rows.scale + i) + load(kind, rows.shift + i));
    };
    along(
        rows.count, [&](int i) { apply(lanes, i); }, [&](int i) { apply(Scalar{}, i); });
  }
}

ISOCENTER_HD void layer_norm(const LayerNormRows& rows, std::int64_t begin, std::int64_t end) {
  if (rows.in.narrow && rows.out.narrow) return layer_norm<bfloat16, bfloat16>(rows, begin, end);
  if (rows.in.narrow) return layer_norm<bfloat16, float>(rows, begin, end);
  if (rows.out.narrow) return layer_norm<float, bfloat16>(rows, begin, end);
  layer_norm<float, float>(rows, begin, end);
}

ISOCENTER_HD void softmax(const SoftmaxRows& rows, std::int64_t begin, std::int64_t end) {
  for (std::int64_t r = begin; r < end; ++r) {
    const float* in = rows.in + r * rows.count;
    float* out = rows.out + r * rows.count;
    float16x tops = float16x{} - INFINITY;
    float top = -INFINITY;
    along(
        rows.count, [&](int i) { tops = max(tops, load(lanes, in + i)); }, [&](int i) { top = max(top, in[i]); });
    for (int k = 0; k < width; ++k) top = max(top, tops[k]);
    float16x sums{};
    float sum = 0.0F;
    const bool keeps = !rows.logarithm;
    along(
        rows.count,
        [&](int i) {
          const float16x d = load(lanes, in + i) - top, e = exp_of(d);
          sums += e;
          store(out + i, keeps ? e : d);
        },
        [&](int i) {
          const float d = in[i] - top, e = exp_of(d);
          sum += e;
          out[i] = keeps ? e : d;
        });
    sum += sum_of(sums);
    const float shift = keeps ? 0.0F : std::log(sum), factor = keeps ? 1.0F / sum : 1.0F;
    along(
        rows.count, [&](int i) { store(out + i, load(lanes, out + i) * factor - shift); },
        [&](int i) { out[i] = out[i] * factor - shift; });
  }
}

#if defined(__x86_64__)
__attribute__((flatten, target("avx512f,avx512bw,avx512vl,avx512dq"))) void layer_norm_avx512(const LayerNormRows& rows,
                                                                                              std::int64_t begin,
                                                                                              std::int64_t end) {
  layer_norm(rows, begin, end);
}
__attribute__((flatten, target("avx2"))) void layer_norm_avx2(const LayerNormRows& rows, std::int64_t begin,
                                                              std::int64_t end) {
  layer_norm(rows, begin, end);
}
__attribute__((flatten, target("avx512f,avx512bw,avx512vl,avx512dq"))) void softmax_avx512(const SoftmaxRows& rows,
                                                                                           std::int64_t begin,
                                                                                           std::int64_t end) {
  softmax(rows, begin, end);
}
__attribute__((flatten, target("avx2"))) void softmax_avx2(const SoftmaxRows& rows, std::int64_t begin,
                                                           std::int64_t end) {
  softmax(rows, begin, end);
}
#endif
__attribute__((flatten)) void layer_norm_base(const LayerNormRows& rows, std::int64_t begin, std::int64_t end) {
  layer_norm(rows, begin, end);
}
__attribute__((flatten)) void softmax_base(const SoftmaxRows& rows, std::int64_t begin, std::int64_t end) {
  softmax(rows, begin, end);
}

}  // namespace

Variants<void (*)(const LayerNormRows&, std::int64_t, std::int64_t)> layer_norm_variants() {
#if defined(__x86_64__)
  return {&layer_norm_avx512, &layer_norm_avx2, &layer_norm_base};
#else
  return {nullptr, nullptr, &layer_norm_base};
#endif
}
Variants<void (*)(const SoftmaxRows&, std::int64_t, std::int64_t)> softmax_variants() {
#if defined(__x86_64__)
  return {&softmax_avx512, &softmax_avx2, &softmax_base};
#else
  return {nullptr, nullptr, &softmax_base};
#endif
}

void run_layer_norm(const LayerNormRows& rows, std::int64_t begin, std::int64_t end) {
  static const auto run = widest_of(layer_norm_variants());
  run(rows, begin, end);
}
void run_softmax(const SoftmaxRows& rows, std::int64_t begin, std::int64_t end) {
  static const auto run = widest_of(softmax_variants());
  run(rows, begin, end);
}

}  // namespace isocenter::detail
