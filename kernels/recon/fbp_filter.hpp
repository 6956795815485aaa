#pragma once
// The first half of filtered back projection on the CPU: weights, ramp filter, and the order that back projection
// wants. Sixteen rows are transformed at once, of one view or of several.
#include <cstdint>

#include "core/launch.hpp"
#include "recon/fbp.hpp"
#include "recon/fft_pack.hpp"

namespace isocenter::detail {

struct FbpFilter {
  FbpLines lines;
  int views;
  FbpStack stack;
  std::int64_t length;  ///< of the transform: a power of two, at least 2 * (columns + extension) - 1
  const Complex<float>* twiddles;
  const float* response;  ///< the filter's frequency response over length, in the order of fft_frequency_at
};

constexpr int fbp_filter_group = 16;  ///< rows filtered at once: eight as real parts, eight as imaginary parts

/// Bytes of scratch for each thread, 64-byte aligned.
constexpr std::uint64_t fbp_filter_scratch(std::int64_t length) {
  return static_cast<std::uint64_t>(length * fbp_filter_group) * sizeof(float);
}

/// Fills the whole stack, zeros too. Same bits for any number of threads. Returns -1; or, when a filtered row is not
/// finite, the place in `projections` of a reading that made it so: the row's first NaN or infinity, else its largest.
std::int64_t fbp_filter(const Launcher& launcher, const FbpFilter& filter, void* scratch);

}  // namespace isocenter::detail
