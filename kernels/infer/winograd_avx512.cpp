#include <algorithm>
#include <cstring>
#include <type_traits>

#include "infer/storage.hpp"
#include "infer/winograd.hpp"

#if defined(__x86_64__)
#include "infer/avx512.hpp"

namespace isocenter::detail {
namespace {

using namespace avx512;

constexpr int accumulators = 24;  // registers of sums; the rest hold weights and a factor

/// How many registers of outputs the group that begins at register `first` of `count` has.
constexpr int group_of(int count, int first) { return count - first < 4 ? count - first : 4; }

/// One step along the depth of a product: one channel of float32, two of bfloat16.
template <class T>
constexpr int channels_of_step = std::is_same_v<T, float> ? 1 : 2;

ISOCENTER_INLINE __m512 multiply_add(__m512 sum, const float* factor, const float* weights) {
  return _mm512_fmadd_ps(_mm512_set1_ps(*factor), _mm512_loadu_ps(weights), sum);
}
ISOCENTER_INLINE __m512 multiply_add(__m512 sum, const bfloat16* factor, const bfloat16* weights) {
  int pair;
  std::memcpy(&pair, factor, sizeof pair);
  const __m512i a = _mm512_set1_epi32(pair), b = _mm512_loadu_si512(weights);
  return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
}

/// Rows x (16 * Registers) products: out[row] = sum over taps and channels of in[row + tap * tap_rows] * weights.
template <class T, int Rows, int Registers>
ISOCENTER_TARGET void multiply_rows(const T* in, std::int64_t tap_step, const T* weights, std::int64_t weights_step,
                                    int taps, int channels, float* out, int outs) {
  constexpr int step = channels_of_step<T>;
  __m512 sums[Rows][Registers];
#pragma GCC unroll 24
  for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
    for (int k = 0; k < Registers; ++k) sums[r][k] = _mm512_setzero_ps();
  for (int tap = 0; tap < taps; ++tap) {
    const T *a = in + tap * tap_step, *b = weights + tap * weights_step;
    for (int c = 0; c < channels; c += step, b += step * width * Registers)
#pragma GCC unroll 24
      for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
        for (int k = 0; k < Registers; ++k)
          sums[r][k] = multiply_add(sums[r][k], a + static_cast<std::int64_t>(r) * channels + c, b + k * step * width);
  }
#pragma GCC unroll 24
  for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
    for (int k = 0; k < Registers; ++k)
      _mm512_storeu_ps(out + static_cast<std::int64_t>(r) * outs + k * width, sums[r][k]);
}

/// All rows of one place and one group of outputs. The last ones overlap those before: the same sums again.
template <class T, int Registers>
ISOCENTER_TARGET void multiply_group(const T* in, std::int64_t tap_step, const T* weights, std::int64_t weights_step,
                                     int taps, int channels, float* out, int outs, int rows) {
  constexpr int most = accumulators / Registers, few = most / 3;
  int row = 0;
  const auto at = [&](int r) { return in + static_cast<std::int64_t>(r) * channels; };
  const auto to = [&](int r) { return out + static_cast<std::int64_t>(r) * outs; };
  for (; row + most <= rows; row += most)
    multiply_rows<T, most, Registers>(at(row), tap_step, weights, weights_step, taps, channels, to(row), outs);
  if (row == rows) return;
  if (rows >= most && rows - row > few) {
    row = rows - most;
    multiply_rows<T, most, Registers>(at(row), tap_step, weights, weights_step, taps, channels, to(row), outs);
    return;
  }
  for (; row + few <= rows; row += few)
    multiply_rows<T, few, Registers>(at(row), tap_step, weights, weights_step, taps, channels, to(row), outs);
  for (; row < rows; ++row)
    multiply_rows<T, 1, Registers>(at(row), tap_step, weights, weights_step, taps, channels, to(row), outs);
}

/// The tiles [first, first + count) of one item's slices [slice, slice + slices).
struct Block {
  int item, slice, slices;
  std::int64_t first;
  int count;
};

Block block_at(const WinogradConvolution& c, std::int64_t index) {
  const std::int64_t depth_blocks = (c.out_extent[0] + c.slices - 1) / c.slices,
                     tile_blocks = (c.tiles_of_slice() + c.tiles - 1) / c.tiles;
  Block b{};
  b.slice = static_cast<int>(index % depth_blocks) * c.slices;
  b.slices = std::min(c.slices, c.out_extent[0] - b.slice);
  b.first = index / depth_blocks % tile_blocks * c.tiles;
  b.count = static_cast<int>(std::min<std::int64_t>(c.tiles, c.tiles_of_slice() - b.first));
  b.item = static_cast<int>(index / depth_blocks / tile_blocks);
  return b;
}

template <class T>
struct Line {
  const T* pixels;  ///< null outside the image
  std::int64_t step;
  int columns;
};

alignas(64) constexpr float zeros[width]{};

/// B^T along one column of four pixels.
template <class T>
ISOCENTER_INLINE void transform_column(const Line<T> (&lines)[4], int x, int channel, __m512 (&t)[4]) {
  __m512 d[4];
#pragma GCC unroll 4
  for (int k = 0; k < 4; ++k) {
    const bool inside = lines[k].pixels != nullptr && x >= 0 && x < lines[k].columns;
    const T* p = inside ? lines[k].pixels + x * lines[k].step + channel : reinterpret_cast<const T*>(zeros);
    d[k] = load16(p);
  }
  t[0] = _mm512_sub_ps(d[0], d[2]);
  t[1] = _mm512_add_ps(d[1], d[2]);
  t[2] = _mm512_sub_ps(d[2], d[1]);
  t[3] = _mm512_sub_ps(d[1], d[3]);
}

/// B^T d B of neighbouring tiles of one row and slice; `to` is the first tile's place 0.
template <class T>
ISOCENTER_TARGET void transform_inputs(const WinogradConvolution& c, const Line<T> (&lines)[4], int tile_x, int count,
                                       T* to) {
  const std::int64_t place = c.input_step();
  for (int channel = 0; channel < c.channels_in; channel += width) {
    int x = 2 * tile_x - c.pad[2];
    __m512 left[4], second[4], third[4], right[4];
    transform_column(lines, x, channel, left);
    transform_column(lines, x + 1, channel, second);
    T* p = to + channel;
    for (int i = 0; i < count; ++i, x += 2, p += c.channels_in) {
      transform_column(lines, x + 2, channel, third);
      transform_column(lines, x + 3, channel, right);
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k) {
        store16(p + (4 * k) * place, _mm512_sub_ps(left[k], third[k]));
        store16(p + (4 * k + 1) * place, _mm512_add_ps(second[k], third[k]));
        store16(p + (4 * k + 2) * place, _mm512_sub_ps(third[k], second[k]));
        store16(p + (4 * k + 3) * place, _mm512_sub_ps(second[k], right[k]));
        left[k] = third[k];
        second[k] = right[k];
      }
    }
  }
}

template <class T>
ISOCENTER_TARGET void transform_block(const WinogradConvolution& c, const Block& b, T* to) {
  const int across = (c.out_extent[2] + 1) / 2;
  const auto* item = static_cast<const T*>(c.in) +
                     static_cast<std::int64_t>(b.item) * c.in_extent[0] * c.in_extent[1] * c.in_extent[2] * c.in_step;
  for (int s = 0; s < b.slices + c.slice_taps - 1; ++s) {
    const int z = b.slice + s - c.pad[0];
    for (int done = 0; done < b.count;) {
      const int ty = static_cast<int>((b.first + done) / across), tx = static_cast<int>((b.first + done) % across);
      const int count = std::min(b.count - done, across - tx);
      Line<T> lines[4];
      for (int k = 0; k < 4; ++k) {
        const int y = 2 * ty - c.pad[1] + k;
        const bool inside = z >= 0 && z < c.in_extent[0] && y >= 0 && y < c.in_extent[1];
        const std::int64_t row = static_cast<std::int64_t>(z) * c.in_extent[1] + y;
        lines[k] = {inside ? item + row * c.in_extent[2] * c.in_step : nullptr, c.in_step, c.in_extent[2]};
      }
      transform_inputs(c, lines, tx, count, to + static_cast<std::int64_t>(s * b.count + done) * c.channels_in);
      done += count;
    }
  }
}

template <class T>
ISOCENTER_TARGET void multiply_block(const WinogradConvolution& c, const Block& b, const T* in, float* out) {
  const int registers = c.channels_out / width, rows = b.slices * b.count;
  const std::int64_t tap_step = static_cast<std::int64_t>(b.count) * c.channels_in,
                     place = static_cast<std::int64_t>(c.channels_in) * c.channels_out;
  for (int p = 0; p < 16; ++p)
    for (int k = 0; k < registers; k += 4) {
      const T* weights = static_cast<const T*>(c.weights) + p * place + std::int64_t{k} * width * c.channels_in;
      const auto multiply = [&](auto group) {
        group(in + p * c.input_step(), tap_step, weights, 16 * place, c.slice_taps, c.channels_in,
              out + p * c.product_step() + k * width, c.channels_out, rows);
      };
      switch (group_of(registers, k)) {
        case 1:
          multiply(multiply_group<T, 1>);
          break;
        case 2:
          multiply(multiply_group<T, 2>);
          break;
        case 3:
          multiply(multiply_group<T, 3>);
          break;
        default:
          multiply(multiply_group<T, 4>);
      }
    }
}

/// A^T m A of one tile and register: its four pixels, bias and activation with them.
template <class T>
ISOCENTER_INLINE void transform_output(const WinogradConvolution& c, const float* m, int channel,
                                       const std::int64_t (&pixels)[4], T* out, const T* residual) {
  const std::int64_t place = c.product_step();
  __m512 upper[4], lower[4];
#pragma GCC unroll 4
  for (int k = 0; k < 4; ++k) {
    const __m512 m0 = _mm512_loadu_ps(m + k * place), m1 = _mm512_loadu_ps(m + (4 + k) * place),
                 m2 = _mm512_loadu_ps(m + (8 + k) * place), m3 = _mm512_loadu_ps(m + (12 + k) * place);
    upper[k] = _mm512_add_ps(_mm512_add_ps(m0, m1), m2);
    lower[k] = _mm512_sub_ps(_mm512_sub_ps(m1, m2), m3);
  }
  const __m512 y[4] = {_mm512_add_ps(_mm512_add_ps(upper[0], upper[1]), upper[2]),
                       _mm512_sub_ps(_mm512_sub_ps(upper[1], upper[2]), upper[3]),
                       _mm512_add_ps(_mm512_add_ps(lower[0], lower[1]), lower[2]),
                       _mm512_sub_ps(_mm512_sub_ps(lower[1], lower[2]), lower[3])};
  const __m512 bias = c.bias == nullptr ? _mm512_setzero_ps() : _mm512_loadu_ps(c.bias + channel);
#pragma GCC unroll 4
  for (int k = 0; k < 4; ++k) {
    if (pixels[k] < 0) continue;
    __m512 v = _mm512_add_ps(y[k], bias);
    if (residual != nullptr) v = _mm512_add_ps(v, load16(residual + pixels[k] * c.residual_step + channel));
    store16(out + pixels[k] * c.out_step + channel, activate(c.then, c.alpha, c.beta, v));
  }
}

template <class T>
ISOCENTER_TARGET void finish_block(const WinogradConvolution& c, const Block& b, const float* products) {
  const int across = (c.out_extent[2] + 1) / 2;
  auto* out = static_cast<T*>(c.out);
  const auto* residual = static_cast<const T*>(c.residual);
  for (int s = 0; s < b.slices; ++s)
    for (int i = 0; i < b.count; ++i) {
      const int y = 2 * static_cast<int>((b.first + i) / across), x = 2 * static_cast<int>((b.first + i) % across);
      const std::int64_t corner =
          ((static_cast<std::int64_t>(b.item) * c.out_extent[0] + b.slice + s) * c.out_extent[1] + y) *
              c.out_extent[2] +
          x;
      const bool right = x + 1 < c.out_extent[2], below = y + 1 < c.out_extent[1];
      const std::int64_t pixels[4] = {corner, right ? corner + 1 : -1, below ? corner + c.out_extent[2] : -1,
                                      right && below ? corner + c.out_extent[2] + 1 : -1};
      const float* m = products + static_cast<std::int64_t>(s * b.count + i) * c.channels_out;
      for (int channel = 0; channel < c.channels_out; channel += width)
        transform_output(c, m + channel, channel, pixels, out, residual);
    }
}

template <class T>
ISOCENTER_TARGET void run_blocks(const WinogradConvolution& c, std::int64_t begin, std::int64_t end,
                                 std::byte* scratch) {
  auto* inputs = reinterpret_cast<T*>(scratch);
  auto* products = reinterpret_cast<float*>(scratch + c.input_bytes());
  for (std::int64_t i = begin; i < end; ++i) {
    const Block b = block_at(c, i);
    transform_block(c, b, inputs);
    multiply_block(c, b, inputs, products);
    if (c.narrow_out)
      finish_block<bfloat16>(c, b, products);
    else
      finish_block<float>(c, b, products);
  }
}

}  // namespace

bool winograd_runs_here(bool narrow) {
  static const bool narrow_runs = [] {
    unsigned a = 7, b = 0, c = 0, d = 0;
    __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    const bool amx = (d >> 22 & 1U) != 0;  // CPUID.(EAX=7,ECX=0):EDX.AMX-BF16, Intel SDM volume 2A, table 3-17
    return available() && __builtin_cpu_supports("avx512bf16") && !amx;
  }();
  return narrow ? narrow_runs : available();
}

void run_winograd(const WinogradConvolution& c, std::int64_t begin, std::int64_t end, std::byte* scratch) {
  if (c.narrow_in)
    run_blocks<bfloat16>(c, begin, end, scratch);
  else
    run_blocks<float>(c, begin, end, scratch);
}

}  // namespace isocenter::detail

#else

namespace isocenter::detail {
bool winograd_runs_here(bool) { return false; }
void run_winograd(const WinogradConvolution&, std::int64_t, std::int64_t, std::byte*) {}
}  // namespace isocenter::detail

#endif

namespace isocenter::detail {

void choose_blocks(WinogradConvolution& c, int threads) {
  constexpr std::int64_t cache = 640 << 10;  // bytes; the weights of one place and the pixels want the rest
  constexpr int most_slices = 8, most_rows = 96;
  c.slices = std::min(c.slice_taps == 1 ? 1 : most_slices, c.out_extent[0]);
  const std::int64_t tiles = c.tiles_of_slice();
  const std::int64_t others = std::int64_t{c.batch} * ((c.out_extent[0] + c.slices - 1) / c.slices);
  const std::int64_t shares = std::max<std::int64_t>(1, (threads + others - 1) / others);
  std::int64_t most = std::min<std::int64_t>(std::max(1, most_rows / c.slices), (tiles + shares - 1) / shares);
  for (c.tiles = static_cast<int>(most); c.tiles > 6 && c.scratch_bytes() > cache;) --c.tiles;
  const std::int64_t count = ((tiles + c.tiles - 1) / c.tiles + shares - 1) / shares * shares;  // even shares
  c.tiles = static_cast<int>((tiles + count - 1) / count);
}

void transform_weights(const WinogradConvolution& c, const float* from, void* to) {
  constexpr double g[4][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};
  const int registers = c.channels_out / 16, step = c.narrow_in ? 2 : 1;
  for (int o = 0; o < c.channels_out; ++o)
    for (int i = 0; i < c.channels_in; ++i)
      for (int tap = 0; tap < c.slice_taps; ++tap) {
        const float* w = from + ((static_cast<std::int64_t>(o) * c.channels_in + i) * c.slice_taps + tap) * 9;
        double half[4][3]{};
        for (int a = 0; a < 4; ++a)
          for (int x = 0; x < 3; ++x)
            for (int y = 0; y < 3; ++y) half[a][x] += g[a][y] * static_cast<double>(w[3 * y + x]);
        const int first = o / 64 * 4, group = std::min(4, registers - first) * 16;  // as multiply_block reads them
        for (int p = 0; p < 16; ++p) {
          double v = 0;
          for (int x = 0; x < 3; ++x) v += half[p / 4][x] * g[p % 4][x];
          const std::int64_t at = (static_cast<std::int64_t>(tap) * 16 + p) * c.channels_in * c.channels_out +
                                  static_cast<std::int64_t>(first) * 16 * c.channels_in +
                                  (static_cast<std::int64_t>(i / step) * group + o - first * 16) * step + i % step;
          if (c.narrow_in)
            store(static_cast<bfloat16*>(to) + at, static_cast<float>(v));
          else
            static_cast<float*>(to)[at] = static_cast<float>(v);
        }
      }
}

}  // namespace isocenter::detail
