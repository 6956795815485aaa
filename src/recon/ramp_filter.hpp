#pragma once
// The ramp filter's tables.
#include <cstdint>
#include <vector>

#include "recon/fft_pack.hpp"
#include "recon/row_extension.hpp"

namespace isocenter::detail {

enum class RampWindow { ramp, shepp_logan, cosine, hamming, hann };

/// The transform length for rows of this many columns: the first power of two at or above 2 * columns - 1, so that the
/// convolution does not wrap around.
std::int64_t ramp_filter_length(std::int64_t columns);

/// The frequency response of the ramp filter for samples `step` apart (mm; on a curved detector rad), natural order,
/// length numbers, each including 1 / length and `scale`: the band-limited kernel h(0) = 1/(4 τ²), h(n) = -1/(n π τ)²
/// for odd n, else 0 (Kak and Slaney 1988, chapter 3, equation 61), times τ, transformed; then the window: 1 (ramp),
/// sin(x)/x (Shepp-Logan) or cos(x) with x = π f / 2, 0.54 + 0.46 cos(π f) (Hamming), 0.5 + 0.5 cos(π f) (Hann), f in
/// units of cutoff * Nyquist, 0 above 1. On a curved detector (curved_step_rad = step) h(n) is multiplied by (nτ / sin
/// nτ)² (the same, section 3.4.1).
std::vector<double> ramp_response(std::int64_t length, std::int64_t columns, double step, RampWindow window,
                                  double cutoff, double scale, double curved_step_rad = 0);

/// The columns of a filtered row that have readings, and all of them: fewer where a detector is displaced.
struct RowReadings {
  int begin = 0, end = 0, columns = 0;
};

/// How rows go on for `extension_mm` at the rotation centre, where columns are step_mm apart; 0: half of those with
/// readings. Not where a displaced detector's shorter side ends: the weights are 0 there already.
RowExtension plan_row_extension(RowTruncation truncation, double extension_mm, double mu_water_per_mm, double step_mm,
                                const RowReadings& readings);

}  // namespace isocenter::detail
