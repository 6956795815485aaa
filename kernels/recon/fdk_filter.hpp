#pragma once
// The first half of FDK: cosine weights, ramp filter along detector rows, and the transposition that back projection
// wants. The filter is the band-limited ramp of Kak and Slaney, "Principles of Computerized Tomographic Imaging"
// (1988), equation 3.29 (61 in chapter 3), applied to padded rows, so that there is no wrap-around and the mean is
// right.
#include <cstdint>

#include "core/launch.hpp"
#include "recon/fdk.hpp"
#include "recon/fdk_rows.hpp"
#include "recon/fft_pack.hpp"

namespace isocenter::detail {

struct FdkFilter {
  FdkRows rows;
  int views;
  FdkStack stack;
  std::int64_t length;  ///< of the transform: a power of two, at least 2 * (columns + extension) - 1
  const Complex<float>* twiddles;
  const float* response;  ///< the filter's frequency response over length, in the order of fft_frequency_at
};

constexpr int fdk_filter_group = 16;  ///< rows filtered at once: eight as real parts, eight as imaginary parts

/// Floats of one row of resampled readings.
constexpr std::int64_t fdk_readings_stride(int columns) { return (columns + 15) / 16 * 16; }

/// Bytes of scratch that fdk_filter needs for each thread; all of it is 64-byte aligned.
constexpr std::uint64_t fdk_filter_scratch_of_thread(std::int64_t length, int columns, bool rectified) {
  const std::int64_t readings = rectified ? fdk_filter_group * fdk_readings_stride(columns) : 0;
  return static_cast<std::uint64_t>(length * fdk_filter_group + readings) * sizeof(float);
}
constexpr std::uint64_t fdk_filter_scratch(std::int64_t length, int columns, bool rectified, int concurrency) {
  return fdk_filter_scratch_of_thread(length, columns, rectified) * static_cast<std::uint64_t>(concurrency);
}

/// Fills the whole stack, pads too. Same bits for any number of threads. CPU only. Returns -1; or, when a filtered row
/// is not finite, the place in the scan's projections of a reading that made it so: the first NaN or infinity of that
/// view, else its largest reading.
std::int64_t fdk_filter(const Launcher& launcher, const FdkFilter& filter, void* scratch);

/// The place of that reading in its view.
std::int64_t fdk_bad_reading(const float* view, std::int64_t count);

}  // namespace isocenter::detail
