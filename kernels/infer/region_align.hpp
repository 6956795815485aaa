#pragma once
// Boxes of a feature map (n, c, h, w) brought to a grid each, float32. x and y count output elements, 32 in a row.
#include "infer/along_axis.hpp"

namespace isocenter::detail {

/// K. He et al., "Mask R-CNN", ICCV 2017, section 3. Positions and sums in float64, in the order of the plain loops.
struct RegionAlignKernel {
  static constexpr const char* name = "infer/region_align";
  const float* in;
  const float* boxes;          ///< (regions, 4): x, y of two corners
  const std::int64_t* images;  ///< (regions): the item that a box lies in, held to those that there are
  float* out;                  ///< (regions, c, rows, columns)
  std::int64_t count;          ///< of output elements
  std::int64_t samples;        ///< along each axis of a bin; 0: as many as its extent, rounded up
  double scale;
  int items, channels, height, width, rows, columns;
  int half_pixel, maximum;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    each_column<Lanes>(x, y, count, [this](std::int64_t at) { out[at] = value(at); });
  }

 private:
  /// Where a sample lies between the rows or columns of the map.
  struct Between {
    std::int64_t low, high;
    double upper;  ///< weight of `high`
    bool outside;
  };
  static ISOCENTER_HD Between between(double x, int extent) {
    Between b{0, 0, 0.0, !(x >= -1.0 && x <= extent)};
    if (b.outside) return b;
    x = x > 0.0 ? x : 0.0;
    b.low = static_cast<std::int64_t>(x) < extent - 1 ? static_cast<std::int64_t>(x) : extent - 1;
    b.high = b.low < extent - 1 ? b.low + 1 : b.low;
    b.upper = b.low == b.high ? 0.0 : x - static_cast<double>(b.low);
    return b;
  }
  ISOCENTER_HD std::int64_t samples_of(double bin) const {
    if (samples > 0) return samples;
    const double held = bin > 0.0 ? (bin < 4096.0 ? bin : 4096.0) : 0.0;
    return static_cast<std::int64_t>(ceil(held));
  }
  static ISOCENTER_HD double place(double start, std::int64_t bin, double size, std::int64_t k, std::int64_t of) {
    return start + static_cast<double>(bin) * size + (static_cast<double>(k) + 0.5) * size / static_cast<double>(of);
  }

  ISOCENTER_HD float value(std::int64_t at) const {
    const std::int64_t column = at % columns, row = at / columns % rows, plane = at / columns / rows;
    const std::int64_t c = plane % channels, r = plane / channels;
    std::int64_t image = images[r] < items - 1 ? images[r] : items - 1;
    image = image < 0 ? 0 : image;
    const double offset = half_pixel != 0 ? 0.5 : 0.0;
    double edge[4];
    for (int k = 0; k < 4; ++k) edge[k] = static_cast<double>(boxes[r * 4 + k]) * scale - offset;
    double wide = edge[2] - edge[0], high = edge[3] - edge[1];
    if (half_pixel == 0) {
      wide = wide < 1.0 ? 1.0 : wide;
      high = high < 1.0 ? 1.0 : high;
    }
    const double bin_h = high / rows, bin_w = wide / columns;
    const std::int64_t down = samples_of(bin_h), across = samples_of(bin_w);
    const float* map = in + (image * channels + c) * height * width;
    double sum = 0, most = 0;
    for (std::int64_t s = 0; s < down * across; ++s) {
      const Between v = between(place(edge[1], row, bin_h, s / across, down), height);
      const Between u = between(place(edge[0], column, bin_w, s % across, across), width);
      for (int k = 0; k < 4; ++k) {
        const std::int64_t i = k < 2 ? v.low : v.high, j = k % 2 == 0 ? u.low : u.high;
        const double w = (k < 2 ? 1 - v.upper : v.upper) * (k % 2 == 0 ? 1 - u.upper : u.upper);
        const double part = v.outside || u.outside ? 0.0 : w * static_cast<double>(map[i * width + j]);
        sum += part;
        most = s == 0 && k == 0 ? part : (part > most ? part : most);
      }
    }
    const std::int64_t of = down * across;
    return static_cast<float>(maximum != 0 ? most : sum / static_cast<double>(of > 1 ? of : 1));
  }
};

}  // namespace isocenter::detail
