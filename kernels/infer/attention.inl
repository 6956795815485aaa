// attention.hpp for one instruction set. The file that includes it defines ISOCENTER_TARGET, ISOCENTER_INLINE and, in
// the namespace `simd`, Vec, width (of a Vec), vectors (of a block of queries), rows (of a product held in registers),
// read, write, set1, add, sub, mul, divide, multiply_add, largest (the second where one is not a number) and exp_below
// (of what is not above 0; -infinity gives 0).
#include <cfloat>

namespace isocenter::detail {
namespace {

using namespace simd;
constexpr int lanes = width * vectors;

/// to[r][.] += the sum over k < count of a[r * a_row + k * a_step] * b[k][.], `Rows` rows, of each the queries of
/// `Vectors` registers; `add` false: nothing was there.
template <int Rows, int Vectors>
ISOCENTER_INLINE void multiply_rows(const float* a, std::int64_t a_row, std::int64_t a_step, const float* b, int count,
                                    bool add, float* to) {
  Vec sum[Rows][Vectors];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) sum[r][v] = add ? read(to + r * lanes + v * width) : set1(0.0F);
  for (int k = 0; k < count; ++k, a += a_step, b += lanes) {
    Vec right[Vectors];
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) right[v] = read(b + v * width);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const Vec left = set1(a[r * a_row]);
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) sum[r][v] = multiply_add(left, right[v], sum[r][v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) write(to + r * lanes + v * width, sum[r][v]);
}

template <int Vectors>
ISOCENTER_TARGET void multiply(const float* a, std::int64_t a_row, std::int64_t a_step, int a_rows, const float* b,
                               int count, bool add, float* to) {
  int r = 0;
  for (; r + rows <= a_rows; r += rows)
    multiply_rows<rows, Vectors>(a + r * a_row, a_row, a_step, b, count, add, to + r * lanes);
  for (; r < a_rows; ++r) multiply_rows<1, Vectors>(a + r * a_row, a_row, a_step, b, count, add, to + r * lanes);
}

/// Of `used` registers of queries.
ISOCENTER_INLINE void multiply(int used, const float* a, std::int64_t a_row, std::int64_t a_step, int a_rows,
                               const float* b, int count, bool add, float* to) {
  if (used == 1) return multiply<1>(a, a_row, a_step, a_rows, b, count, add, to);
  if (used == 2 || vectors == 2) return multiply<2>(a, a_row, a_step, a_rows, b, count, add, to);
  multiply<vectors>(a, a_row, a_step, a_rows, b, count, add, to);
}

/// What a thread works in: q transposed, the scores of a block of keys, the sums of v transposed, each lane's maximum
/// and sum, and k and v of the block as dense float32 where they are not.
struct Workspace {
  Workspace(const AttentionProblem& p, std::byte* scratch) : q(reinterpret_cast<float*>(scratch)) {
    scores = q + static_cast<std::int64_t>(p.depth) * lanes;
    sums = scores + attention_key_block * lanes;
    top = sums + static_cast<std::int64_t>(p.width) * lanes;
    total = top + lanes;
    keys = total + lanes;
    values = keys + static_cast<std::int64_t>(attention_key_block) * p.depth;
  }
  float *q, *scores, *sums, *top, *total, *keys, *values;
};

ISOCENTER_INLINE float element(const void* data, bool narrow, std::int64_t i) {
  return narrow ? widen(static_cast<const std::uint16_t*>(data)[i]) : static_cast<const float*>(data)[i];
}

/// Rows of `columns` elements as dense float32.
ISOCENTER_TARGET void take_rows(const AttentionValues& from, bool narrow, std::int64_t offset, int count, int columns,
                                float* to) {
  for (int r = 0; r < count; ++r, to += columns) {
    const std::int64_t row = offset + r * from.strides[2];
    if (from.strides[3] == 1 && narrow) {
      const auto* bits = static_cast<const std::uint16_t*>(from.data) + row;
      for (int c = 0; c < columns; ++c) to[c] = widen(bits[c]);
    } else {
      for (int c = 0; c < columns; ++c) to[c] = element(from.data, narrow, row + c * from.strides[3]);
    }
  }
}

struct RowView {
  const float* data;
  std::int64_t step;
};
/// Rows of k or v from `first` on, where they lie, or as float32 in `room`, where they may be already.
ISOCENTER_TARGET RowView rows_of(const AttentionProblem& p, const AttentionValues& from, std::int64_t offset, int first,
                                 int count, int columns, bool at_hand, float* room) {
  offset += first * from.strides[2];
  if (!p.narrow && from.strides[3] == 1) return {static_cast<const float*>(from.data) + offset, from.strides[2]};
  if (!at_hand) take_rows(from, p.narrow, offset, count, columns, room);
  return {room, columns};
}

/// Adds the bias to the scores of `count` keys, makes them exp(score - the largest so far) and corrects what
/// was gathered below a smaller one.
ISOCENTER_TARGET void exponentiate(const AttentionProblem& p, const Workspace& w, std::int64_t bias, int first,
                                   int count, int queries, int used) {
  if (p.has_bias)
    for (int k = 0; k < count; ++k)
      for (int i = 0; i < queries; ++i)
        w.scores[k * lanes + i] +=
            element(p.bias.data, p.narrow_bias, bias + i * p.bias.strides[2] + (first + k) * p.bias.strides[3]);
  for (int v = 0; v < used * width; v += width) {
    const Vec before = read(w.top + v);
    Vec top = before, sum = set1(0.0F);
    for (int k = 0; k < count; ++k) top = largest(top, read(w.scores + k * lanes + v));
    // Where all is -infinity so far, exp gives 0: the difference of two would not be a number. Masks of the lowest
    // finite number are scores like others.
    const Vec from = largest(top, set1(-FLT_MAX)), correction = exp_below(sub(before, from));
    for (int k = 0; k < count; ++k) {
      const Vec e = exp_below(sub(read(w.scores + k * lanes + v), from));
      write(w.scores + k * lanes + v, e);
      sum = add(sum, e);
    }
    write(w.top + v, top);
    if (first == 0) {
      write(w.total + v, sum);
      continue;
    }
    write(w.total + v, multiply_add(read(w.total + v), correction, sum));
    for (int c = 0; c < p.width; ++c) {
      float* gathered = w.sums + static_cast<std::int64_t>(c) * lanes + v;
      write(gathered, mul(read(gathered), correction));
    }
  }
}

template <class T>
ISOCENTER_INLINE void give(const AttentionProblem& p, const Workspace& w, std::int64_t offset, int queries) {
  for (int i = 0; i < queries; ++i) {
    T* row = static_cast<T*>(p.out.data) + offset + i * p.out.strides[2];
    for (int c = 0; c < p.width; ++c)
      detail::store(row + c * p.out.strides[3], w.sums[static_cast<std::int64_t>(c) * lanes + i]);
  }
}

/// `lanes` queries from `query` on. `at_hand`: the only block of keys and values is in the workspace.
ISOCENTER_TARGET void attend(const AttentionProblem& p, const Workspace& w, int batch, int head, int query,
                             bool at_hand) {
  const auto offset = [&](const AttentionValues& v) { return batch * v.strides[0] + head * v.strides[1]; };
  const int queries = p.queries - query < lanes ? p.queries - query : lanes, used = (queries + width - 1) / width;
  const std::int64_t q = offset(p.q) + query * p.q.strides[2];
  for (int i = 0; i < used * width; ++i)
    for (int d = 0; d < p.depth; ++d)
      w.q[d * lanes + i] =
          i < queries ? p.scale * element(p.q.data, p.narrow, q + i * p.q.strides[2] + d * p.q.strides[3]) : 0.0F;
  for (int i = 0; i < lanes; ++i) w.top[i] = -INFINITY;
  for (int first = 0; first < p.keys; first += attention_key_block) {
    const int count = p.keys - first < attention_key_block ? p.keys - first : attention_key_block;
    const RowView k = rows_of(p, p.k, offset(p.k), first, count, p.depth, at_hand, w.keys);
    multiply(used, k.data, k.step, 1, count, w.q, p.depth, false, w.scores);
    exponentiate(p, w, offset(p.bias) + query * p.bias.strides[2], first, count, queries, used);
    const RowView v = rows_of(p, p.v, offset(p.v), first, count, p.width, at_hand, w.values);
    multiply(used, v.data, 1, v.step, p.width, w.scores, count, first > 0, w.sums);
  }
  for (int v = 0; v < used * width; v += width) {
    const Vec factor = divide(set1(1.0F), read(w.total + v));
    for (int c = 0; c < p.width; ++c) {
      float* sum = w.sums + static_cast<std::int64_t>(c) * lanes + v;
      write(sum, mul(read(sum), factor));
    }
  }
  const std::int64_t to = offset(p.out) + query * p.out.strides[2];
  if (p.narrow)
    give<bfloat16>(p, w, to, queries);
  else
    give<float>(p, w, to, queries);
}

ISOCENTER_TARGET void run_blocks(const AttentionProblem& p, std::int64_t begin, std::int64_t end, std::byte* scratch) {
  const Workspace workspace(p, scratch);
  const int blocks = (p.queries + lanes - 1) / lanes;
  for (std::int64_t i = begin; i < end; ++i) {
    const auto matrix = static_cast<int>(i / blocks);
    const bool at_hand = p.keys <= attention_key_block && i > begin && (i - 1) / blocks == matrix;
    attend(p, workspace, matrix / p.heads, matrix % p.heads, static_cast<int>(i % blocks) * lanes, at_hand);
  }
}

}  // namespace
}  // namespace isocenter::detail
