#pragma once
// Convolutions of 3 x 3 taps (and 1 or 3 slices) at stride 1 by A. Lavin and S. Gray, "Fast algorithms for
// convolutional neural networks", CVPR 2016, section 4.1, F(2 x 2, 3 x 3): 16 products for 2 x 2 pixels instead of 36,
// for AVX-512. Slices are summed among the products, so that each is transformed once for all of its taps.
//
// On channels-last data of float32, or of bfloat16 whose transforms and sums are float32. Each output depends on its
// own 4 x 4 pixels in an order that the shape alone gives: neither threads nor blocks move a bit.
#include <cstddef>
#include <cstdint>

#include "infer/functions.hpp"

namespace isocenter::detail {

/// One convolution. Extents are (slices, rows, columns); channels are multiples of 16.
struct WinogradConvolution {
  bool narrow_in = false, narrow_out = false;  ///< bfloat16; weights are what the input is, bias is float32
  int batch = 1;
  int in_extent[3]{}, out_extent[3]{};
  int pad[3]{};        ///< in front
  int slice_taps = 1;  ///< 1 or 3
  int channels_in = 0, channels_out = 0;
  std::int64_t in_step = 0, out_step = 0, residual_step = 0;  ///< elements from pixel to pixel
  infer::Function then = infer::Function::identity;           ///< or relu, leaky_relu, clip
  float alpha = 0.0F, beta = 0.0F;

  int tiles = 1, slices = 1;  ///< of one block of work: see choose_blocks

  const void* in = nullptr;
  const void* weights = nullptr;   ///< as transform_weights made them
  const float* bias = nullptr;     ///< or null
  const void* residual = nullptr;  ///< or null; lies as the output does, and may be the output
  void* out = nullptr;

  std::int64_t tiles_of_slice() const {
    return static_cast<std::int64_t>((out_extent[1] + 1) / 2) * ((out_extent[2] + 1) / 2);
  }
  std::int64_t blocks() const {
    return batch * ((tiles_of_slice() + tiles - 1) / tiles) * ((out_extent[0] + slices - 1) / slices);
  }
  /// Elements of one of the 16 places of a block, inputs and products; a cache line more, so that they do not fall
  /// into one set of the cache.
  std::int64_t input_step() const {
    return static_cast<std::int64_t>(slices + slice_taps - 1) * tiles * channels_in + (narrow_in ? 32 : 16);
  }
  std::int64_t product_step() const { return static_cast<std::int64_t>(slices) * tiles * channels_out + 16; }
  std::int64_t input_bytes() const { return (16 * input_step() * (narrow_in ? 2 : 4) + 255) / 256 * 256; }
  /// What one thread needs while it works.
  std::int64_t scratch_bytes() const { return input_bytes() + (16 * product_step() * 4 + 255) / 256 * 256; }
  std::int64_t weight_elements() const { return std::int64_t{16} * slice_taps * channels_in * channels_out; }
};

/// The processor has what run_winograd needs; for bfloat16 also that AMX, whose direct convolutions are faster, is not
/// there.
bool winograd_runs_here(bool narrow);

/// Sets tiles and slices for a second-level cache of 1 MiB and that many threads.
void choose_blocks(WinogradConvolution& c, int threads);

/// G g G^T of every pair of channels, in the order that run_winograd reads. `from` is (out, in, slices, 3, 3) float32;
/// `to` has weight_elements() of float32 or bfloat16.
void transform_weights(const WinogradConvolution& c, const float* from, void* to);

/// Blocks [begin, end) of c.blocks(). `scratch` has c.scratch_bytes(), aligned to 64 bytes.
void run_winograd(const WinogradConvolution& c, std::int64_t begin, std::int64_t end, std::byte* scratch);

}  // namespace isocenter::detail
