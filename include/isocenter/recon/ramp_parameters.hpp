#pragma once
// What reconstructions by filtered back projection have in common: how the ramp filter ends, and how rows do.
#include <isocenter/describe.hpp>

namespace isocenter::inline v1 {

enum class FdkWindow { ramp, shepp_logan, cosine, hamming, hann };
inline constexpr const char* fdk_windows[] = {"ramp", "shepp_logan", "cosine", "hamming", "hann"};

/// How rows go on beyond the detector: not, smoothly to 0, or as a cylinder of water.
enum class Truncation { none, roll_off, water_cylinder };
inline constexpr const char* truncations[] = {"none", "roll_off", "water_cylinder"};

/// The parameters of struct P that window the filter; P has members of these names.
template <class P>
constexpr auto ramp_parameters() {
  return std::tuple{
      choice(&P::window, "window", fdk_windows, "What tames the ramp filter's noise; ramp: nothing, sharpest."),
      param(&P::cutoff, "cutoff", Unit::none, 0.05, 1, "Where the window ends, in parts of the Nyquist frequency."),
  };
}

/// The parameters of struct P that continue truncated rows.
template <class P>
constexpr auto truncation_parameters() {
  return std::tuple{
      choice(&P::truncation, "truncation", truncations,
             "How rows go on beyond the detector when the object reaches over its sides."),
      param(&P::extension_mm, "extension_mm", Unit::mm, 0, 1e4,
            "How far they go on, as seen at the isocentre; 0: half the detector's width."),
  };
}

}  // namespace isocenter::inline v1
