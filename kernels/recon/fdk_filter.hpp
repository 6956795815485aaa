#pragma once
// The first half of FDK: cosine weights, ramp filter along detector rows, and the transposition that back projection
// wants. The filter is the band-limited ramp of Kak and Slaney, "Principles of Computerized Tomographic Imaging"
// (1988), equation 3.29 (61 in chapter 3), applied to zero-padded rows, so that there is no wrap-around and the mean is
// right.
#include <cstdint>

#include "core/launch.hpp"
#include "recon/fdk.hpp"
#include "recon/fft_pack.hpp"

namespace isocenter::detail {

/// What one view's elements are multiplied with before filtering: weight / sqrt(1 + (a (i - iu))² + (b (j - jv))²), the
/// cosine of the ray to the central one times the view's share of the circle.
struct FdkViewWeight {
  float centre_column, centre_row;  ///< iu, jv: where the normal through the source meets the detector
  float column_slope, row_slope;    ///< a, b: element steps over the source's distance from the detector
  float weight;
};

struct FdkFilter {
  const float* projections;      ///< views × rows × columns
  const std::int64_t* order;     ///< which projection the stack's view n is made of
  const FdkViewWeight* weights;  ///< one for each view of the stack
  int views;
  FdkStack stack;
  std::int64_t length;  ///< of the transform: a power of two, at least 2 * columns - 1
  const Complex<float>* twiddles;
  const float* response;  ///< the filter's frequency response over length, in the order of fft_frequency_at
};

/// Bytes of scratch that fdk_filter needs: 64-byte aligned, one part for each thread.
constexpr std::uint64_t fdk_filter_scratch(std::int64_t length, int concurrency) {
  return static_cast<std::uint64_t>(length) * 2 * sizeof(float) * 8 * static_cast<std::uint64_t>(concurrency);
}

/// Fills the whole stack, pads too. Same bits for any number of threads. CPU only.
void fdk_filter(const Launcher& launcher, const FdkFilter& filter, void* scratch);

}  // namespace isocenter::detail
