#pragma once
#include "render/multi_planar_reformat.hpp"

namespace isocenter::detail {

/// One pixel of a grey-scale slice with labels painted over it. Grey levels are code values of the display (see
/// GreyWindow), and colours are mixed with them as code values, so that label_opacity 0 leaves the window as it is.
/// Launched over width × height × planes for one time frame.
struct SliceViewKernel {
  static constexpr const char* name = "render/slice_view";
  Sampler volume;
  const std::uint8_t* labels;  ///< on the same grid, or null
  const float* label_table;    ///< for each of 256 labels: red, green, blue (sRGB code values), opacity
  PlaneGrid grid;              ///< z counts the planes
  bool nearest;
  GreyWindow window;
  std::uint8_t* pixels;  ///< RGB of the first plane
  int frames_apart;      ///< from one plane's frame to the next plane's
  int width, height;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int plane) const {
    using Float = typename Lanes::Float;
    const auto p = grid.at(to_float(Lanes::iota(x)), static_cast<float>(y), static_cast<float>(plane));
    const auto in = inside_volume(volume, p.x, p.y, p.z);
    const Float v = nearest ? volume.nearest(lanes, p.x, p.y, p.z) : volume.trilinear(lanes, p.x, p.y, p.z);
    const Float grey = select(in, window(v), Float{});
    Rgb<Float> colour{grey, grey, grey};
    if (labels != nullptr) {
      const auto label = gather_byte(labels, volume.nearest_index(p.x, p.y, p.z)) * 4;
      const Float paint = select(in, gather(label_table, label + 3), Float{});
      colour.r = grey + paint * (gather(label_table, label) - grey);
      colour.g = grey + paint * (gather(label_table, label + 1) - grey);
      colour.b = grey + paint * (gather(label_table, label + 2) - grey);
    }
    store_rgb(pixels + ((static_cast<std::int64_t>(plane) * frames_apart * height + y) * width + x) * 3, colour);
  }
};

}  // namespace isocenter::detail
