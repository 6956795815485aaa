#pragma once
// An image on its way into a classification network: to planes of scaled values, and, after resizing, to the network's
// channels.
#include "core/lanes.hpp"

namespace isocenter::detail {

/// x, y: pixel, z: plane. clamp(v, low, high) * a + b of a grey image, of a channel of a colour image, or of a colour
/// image's luma.
struct ImagePlanesKernel {
  static constexpr const char* name = "infer/image_planes";
  const float* grey;           ///< [y][x], or null
  const std::uint8_t* colour;  ///< [y][x][3], read where grey is null
  float* out;                  ///< [plane][y][x]
  int nx, ny;
  bool luma;  ///< one plane of three channels: 0.299, 0.587, 0.114 of them
  float low, high, a, b;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x0, int y, int z) const {
    for (int x = x0; x < x0 + Lanes::width; ++x) {
      const std::int64_t at = static_cast<std::int64_t>(y) * nx + x;
      out[(static_cast<std::int64_t>(z) * ny + y) * nx + x] = clamp(value(at, z), low, high) * a + b;
    }
  }

 private:
  ISOCENTER_HD float value(std::int64_t at, int z) const {
    if (grey != nullptr) return grey[at];
    const std::uint8_t* p = colour + 3 * at;
    return luma ? 0.299F * to_float(p[0]) + 0.587F * to_float(p[1]) + 0.114F * to_float(p[2]) : to_float(p[z]);
  }
};

/// x, y: in the network's image, z: channel. (v - mean) / deviation of what is there, of zero beyond.
struct NetworkImageKernel {
  static constexpr const char* name = "infer/network_image";
  const float* in;               ///< [plane][y][x]
  float* out;                    ///< [channel][y][x]
  int planes;                    ///< 1: all channels read it
  int extent[2];                 ///< of a plane: x, y
  int size[2];                   ///< of the network's image
  int at[2];                     ///< where the plane's first pixel lies in it
  const float *factor, *offset;  ///< 1 / deviation and -mean / deviation of each channel

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x0, int y, int z) const {
    const float* plane = in + static_cast<std::int64_t>(planes == 1 ? 0 : z) * extent[0] * extent[1];
    const int from_y = y - at[1];
    for (int x = x0; x < x0 + Lanes::width; ++x) {
      const int from_x = x - at[0];
      const bool inside = from_x >= 0 && from_x < extent[0] && from_y >= 0 && from_y < extent[1];
      const float v = inside ? plane[static_cast<std::int64_t>(from_y) * extent[0] + from_x] : 0.0F;
      out[(static_cast<std::int64_t>(z) * size[1] + y) * size[0] + x] = v * factor[z] + offset[z];
    }
  }
};

}  // namespace isocenter::detail
