#include "infer/channels_avx512.hpp"

#if defined(__x86_64__)
#include <algorithm>

#include "infer/avx512.hpp"

namespace isocenter::detail {
namespace {

using namespace avx512;

template <class In, class Out>
ISOCENTER_TARGET void affine_rows(const ChannelAffineKernelOf<In, Out>& k, int nx, int ny, std::int64_t begin,
                                  std::int64_t end) {
  for (std::int64_t r = begin; r < end; ++r) {
    const std::int64_t y = r % ny, z = r / ny;
    const std::int64_t first = y * k.block;
    const int count = static_cast<int>(std::min<std::int64_t>(k.block, k.pixels - first));
    const float *scale = k.scale + z * k.factors_z, *shift = k.shift + z * k.factors_z;
    const In* p = k.in + z * k.in_z + first * k.in_y;
    Out* q = k.out + z * k.out_z + first * k.out_y;
    for (int i = 0; i < count; ++i, p += k.in_y, q += k.out_y)
      for (int x = 0; x < nx; x += width) {
        const __m512 v =
            _mm512_add_ps(_mm512_mul_ps(load16(p + x), _mm512_loadu_ps(scale + x)), _mm512_loadu_ps(shift + x));
        store16(q + x, activate(k.then, k.alpha, k.beta, v));
      }
  }
}

/// One block, 16 * Registers channels: their chains of additions run side by side.
template <class T, int Registers>
ISOCENTER_TARGET void moments_of_block(const T* p, int count, int channels, float* mean, float* squares) {
  __m512 sum[Registers], m[Registers];
#pragma GCC unroll 4
  for (int j = 0; j < Registers; ++j) sum[j] = _mm512_setzero_ps();
  for (int i = 0; i < count; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < Registers; ++j)
      sum[j] = _mm512_add_ps(sum[j], load16(p + static_cast<std::int64_t>(i) * channels + j * width));
  const __m512 number = _mm512_set1_ps(static_cast<float>(count));
#pragma GCC unroll 4
  for (int j = 0; j < Registers; ++j) {
    m[j] = _mm512_div_ps(sum[j], number);
    sum[j] = _mm512_setzero_ps();
  }
  for (int i = 0; i < count; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < Registers; ++j) {
      const __m512 d = _mm512_sub_ps(load16(p + static_cast<std::int64_t>(i) * channels + j * width), m[j]);
      sum[j] = _mm512_add_ps(sum[j], _mm512_mul_ps(d, d));
    }
#pragma GCC unroll 4
  for (int j = 0; j < Registers; ++j) {
    _mm512_storeu_ps(mean + j * width, m[j]);
    _mm512_storeu_ps(squares + j * width, sum[j]);
  }
}

template <class T>
ISOCENTER_TARGET void moments_rows(const PartialMomentsKernelOf<T>& k, int nx, int ny, std::int64_t begin,
                                   std::int64_t end) {
  for (std::int64_t r = begin; r < end; ++r) {
    const std::int64_t y = r % ny, z = r / ny, first = y * moments_block;
    const int count = static_cast<int>(std::min<std::int64_t>(moments_block, k.pixels - first));
    const T* p = k.in + (z * k.pixels + first) * k.channels;
    float *mean = k.mean + (z * k.blocks + y) * k.channels, *squares = k.squares + (z * k.blocks + y) * k.channels;
    int x = 0;
    for (; x + 4 * width <= nx; x += 4 * width) moments_of_block<T, 4>(p + x, count, k.channels, mean + x, squares + x);
    for (; x + 2 * width <= nx; x += 2 * width) moments_of_block<T, 2>(p + x, count, k.channels, mean + x, squares + x);
    for (; x < nx; x += width) moments_of_block<T, 1>(p + x, count, k.channels, mean + x, squares + x);
  }
}

/// The positions of a window along one axis that lie inside: [first, last), and how many the model counts.
struct Span {
  int start, first, last, counted;
};
template <class T>
Span span_of(const PoolKernelOf<T>& k, int axis, int position) {
  const int start = position * k.stride[axis] - k.pad_begin[axis], d = k.dilation[axis], n = k.kernel[axis];
  Span s{start, n, 0, 0};
  for (int i = 0; i < n; ++i) {
    const int at = start + i * d;
    s.counted += at < k.in_extent[axis] + k.pad_end[axis] ? 1 : 0;
    if (at < 0 || at >= k.in_extent[axis]) continue;
    s.first = std::min(s.first, i);
    s.last = i + 1;
  }
  return s;
}

template <class T>
ISOCENTER_TARGET void pool_rows(const PoolKernelOf<T>& k, int nx, int ny, std::int64_t begin, std::int64_t end) {
  const std::int64_t line = static_cast<std::int64_t>(k.in_extent[2]) * k.in_step, slice = line * k.in_extent[1];
  for (std::int64_t r = begin; r < end; ++r) {
    const std::int64_t z = r / ny;
    const int y = static_cast<int>(r % ny), row = static_cast<int>(z % k.out_extent[1]);
    const std::int64_t out_slice = z / k.out_extent[1];
    const Span a = span_of(k, 0, static_cast<int>(out_slice % k.out_extent[0])), b = span_of(k, 1, row),
               c = span_of(k, 2, y);
    const T* item = k.in + out_slice / k.out_extent[0] * k.in_extent[0] * slice;
    T* out = k.out + (z * k.out_extent[2] + y) * k.out_step;
    const int inside = std::max(0, a.last - a.first) * std::max(0, b.last - b.first) * std::max(0, c.last - c.first);
    const int number = k.count_pads != 0 ? a.counted * b.counted * c.counted : std::max(1, inside);
    for (int x = 0; x < nx; x += width) {
      __m512 acc = k.average != 0 ? _mm512_setzero_ps() : _mm512_set1_ps(-INFINITY);
      for (int i = a.first; i < a.last; ++i)
        for (int j = b.first; j < b.last; ++j)
          for (int l = c.first; l < c.last; ++l) {
            const __m512 v =
                load16(item + (a.start + i * k.dilation[0]) * slice + (b.start + j * k.dilation[1]) * line +
                       static_cast<std::int64_t>(c.start + l * k.dilation[2]) * k.in_step + x);
            if (k.average != 0)
              acc = _mm512_add_ps(acc, v);
            else
              acc = _mm512_mask_mov_ps(acc,
                                       static_cast<__mmask16>(_mm512_cmp_ps_mask(v, acc, _CMP_GT_OQ) |
                                                              _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q)),
                                       v);
          }
      if (k.average != 0) acc = _mm512_div_ps(acc, _mm512_set1_ps(static_cast<float>(number)));
      store16(out + x, acc);
    }
  }
}

}  // namespace

bool wide_channels_run_here(bool narrow) {
  static const bool half = __builtin_cpu_supports("avx512bf16");
  return available() && (half || !narrow);
}

template <class In, class Out>
void run_rows_avx512(const ChannelAffineKernelOf<In, Out>& k, int nx, int ny, std::int64_t begin, std::int64_t end) {
  affine_rows(k, nx, ny, begin, end);
}
template <class T>
void run_rows_avx512(const PartialMomentsKernelOf<T>& k, int nx, int ny, std::int64_t begin, std::int64_t end) {
  moments_rows(k, nx, ny, begin, end);
}
template <class T>
void run_rows_avx512(const PoolKernelOf<T>& k, int nx, int ny, std::int64_t begin, std::int64_t end) {
  pool_rows(k, nx, ny, begin, end);
}

}  // namespace isocenter::detail

#else

namespace isocenter::detail {
bool wide_channels_run_here(bool) { return false; }
template <class In, class Out>
void run_rows_avx512(const ChannelAffineKernelOf<In, Out>&, int, int, std::int64_t, std::int64_t) {}
template <class T>
void run_rows_avx512(const PartialMomentsKernelOf<T>&, int, int, std::int64_t, std::int64_t) {}
template <class T>
void run_rows_avx512(const PoolKernelOf<T>&, int, int, std::int64_t, std::int64_t) {}
}  // namespace isocenter::detail

#endif

namespace isocenter::detail {
#define ISOCENTER_ROWS(...) template void run_rows_avx512(const __VA_ARGS__&, int, int, std::int64_t, std::int64_t)
ISOCENTER_ROWS(ChannelAffineKernelOf<float, float>);
ISOCENTER_ROWS(ChannelAffineKernelOf<float, bfloat16>);
ISOCENTER_ROWS(ChannelAffineKernelOf<bfloat16, float>);
ISOCENTER_ROWS(ChannelAffineKernelOf<bfloat16, bfloat16>);
ISOCENTER_ROWS(PartialMomentsKernelOf<float>);
ISOCENTER_ROWS(PartialMomentsKernelOf<bfloat16>);
ISOCENTER_ROWS(PoolKernelOf<float>);
ISOCENTER_ROWS(PoolKernelOf<bfloat16>);
#undef ISOCENTER_ROWS
}  // namespace isocenter::detail
