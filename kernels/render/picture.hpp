#pragma once
// From values to the bytes of a picture: lanes' masks, sRGB encoding, grey windows, RGB stores.
#include <cstdint>

#include "core/lane_math.hpp"

namespace isocenter::detail {

/// Logical and of two lane conditions.
ISOCENTER_HD bool both(bool a, bool b) { return a && b; }
ISOCENTER_HD bool either(bool a, bool b) { return a || b; }
ISOCENTER_HD void store_byte(std::uint8_t* p, int stride, int v) {
  (void)stride;
  *p = static_cast<std::uint8_t>(v);
}
ISOCENTER_HD int gather_byte(const std::uint8_t* p, int i) { return p[i]; }
/// The smallest number of all lanes.
ISOCENTER_HD int smallest(int v) { return v; }
#if !defined(__CUDACC__)
ISOCENTER_HD int8 both(int8 a, int8 b) { return a & b; }
ISOCENTER_HD int8 either(int8 a, int8 b) { return a | b; }
ISOCENTER_HD void store_byte(std::uint8_t* p, int stride, int8 v) {
  for (int k = 0; k < 8; ++k) p[k * stride] = static_cast<std::uint8_t>(v[k]);
}
ISOCENTER_HD int smallest(int8 v) {
  int least = v[0];
  for (int k = 1; k < 8; ++k) least = v[k] < least ? v[k] : least;
  return least;
}
ISOCENTER_HD int8 gather_byte(const std::uint8_t* p, int8 i) {
  int8 r;
  for (int k = 0; k < 8; ++k) r[k] = p[i[k]];
  return r;
}
#endif

/// v held to [0, 1]; NaN becomes 0.
template <class Float>
ISOCENTER_HD Float unit_range(Float v) {
  return min(max(v, Float{}), Float{} + 1.0F);
}

/// 0..255 from a code value in [0, 1].
template <class Float>
ISOCENTER_HD auto to_byte(Float code) {
  return to_int(unit_range(code) * 255.0F + 0.5F);
}

/// The sRGB code value of linear light in [0, 1] (IEC 61966-2-1, section 5.2).
template <class Float>
ISOCENTER_HD Float srgb_encode(Float linear) {
  const Float v = unit_range(linear);
  const Float curved = 1.055F * pow_of_fraction(max(v, Float{} + 1e-6F), 1.0F / 2.4F) - 0.055F;
  return select(v <= 0.0031308F, v * 12.92F, curved);
}

template <class Float>
struct Rgb {
  Float r, g, b;
};

/// Code values in [0, 1] to three bytes a pixel.
template <class Float>
ISOCENTER_HD void store_rgb(std::uint8_t* pixel, const Rgb<Float>& code) {
  store_byte(pixel, 3, to_byte(code.r));
  store_byte(pixel + 1, 3, to_byte(code.g));
  store_byte(pixel + 2, 3, to_byte(code.b));
}

/// A grey-scale window: value `low` is black, `low + 1 / scale` white. The result is a code value of the display, as
/// DICOM PS3.3 C.11.2.1.3.2 (LINEAR_EXACT) and PS3.14 mean it, not linear light; no further encoding follows.
struct GreyWindow {
  float low, scale;
  template <class Float>
  ISOCENTER_HD Float operator()(Float v) const {
    return unit_range((v - low) * scale);
  }
};

}  // namespace isocenter::detail
