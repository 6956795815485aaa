// The conversion against ITU-R BT.709-6 computed in double, and against the levels that the recommendation names.
#include "io/yuv420.hpp"

#include <cmath>
#include <random>

#include "io_test.hpp"

namespace isocenter::detail::io {
namespace {

struct Planes {
  Planes(int width, int height)
      : y(static_cast<std::size_t>(width * height)), cb(y.size() / 4), cr(y.size() / 4), view{y.data(),  cb.data(),
                                                                                              cr.data(), width,
                                                                                              width / 2, width / 2,
                                                                                              width,     height} {}
  std::vector<std::uint8_t> y, cb, cr;
  Yuv420 view;
};

Planes converted(const std::vector<std::uint8_t>& rgb, int width, int height) {
  Planes planes(width + width % 2, height + height % 2);
  rgb_to_yuv420_bt709(rgb.data(), 3 * width, width, height, planes.view);
  return planes;
}

double luma(double r, double g, double b) { return 0.2126 * r + 0.7152 * g + 0.0722 * b; }

TEST(Yuv420, NamedColoursGetTheirLevels) {
  // Rounded from BT.709-6, item 3.4: white, black, grey, and the six colours of the bars at 100 %.
  const struct {
    std::uint8_t r, g, b, y, cb, cr;
  } colours[] = {{255, 255, 255, 235, 128, 128}, {0, 0, 0, 16, 128, 128},     {128, 128, 128, 126, 128, 128},
                 {255, 0, 0, 63, 102, 240},      {0, 255, 0, 173, 42, 26},    {0, 0, 255, 32, 240, 118},
                 {255, 255, 0, 219, 16, 138},    {0, 255, 255, 188, 154, 16}, {255, 0, 255, 78, 214, 230}};
  for (const auto& c : colours) {
    std::vector<std::uint8_t> rgb;
    for (int i = 0; i < 4; ++i)
      for (const std::uint8_t v : {c.r, c.g, c.b}) rgb.push_back(v);
    const Planes p = converted(rgb, 2, 2);
    for (const std::uint8_t y : p.y) EXPECT_EQ(y, c.y) << int{c.r} << int{c.g} << int{c.b};
    EXPECT_EQ(p.cb[0], c.cb) << int{c.r} << ' ' << int{c.g} << ' ' << int{c.b};
    EXPECT_EQ(p.cr[0], c.cr) << int{c.r} << ' ' << int{c.g} << ' ' << int{c.b};
  }
}

TEST(Yuv420, RandomPicturesOfAnySizeAreWithinOneOfTheExactValues) {
  std::mt19937 random(3);
  for (const auto& [width, height] : {std::pair{1, 1}, {2, 1}, {5, 7}, {32, 18}, {33, 19}}) {
    std::vector<std::uint8_t> rgb(static_cast<std::size_t>(3 * width * height));
    for (auto& v : rgb) v = static_cast<std::uint8_t>(random());
    const Planes p = converted(rgb, width, height);
    const auto at = [&](int x, int y) {
      return &rgb[static_cast<std::size_t>(3 * (std::min(x, width - 1) + width * std::min(y, height - 1)))];
    };
    for (int y = 0; y < p.view.height; ++y)
      for (int x = 0; x < p.view.width; ++x) {
        const auto* c = at(x, y);
        EXPECT_NEAR(p.y[static_cast<std::size_t>(x + p.view.width * y)], 16 + 219 * luma(c[0], c[1], c[2]) / 255, 0.51);
      }
    for (int y = 0; y < p.view.height; y += 2)
      for (int x = 0; x < p.view.width; x += 2) {
        double mean[3] = {};
        for (int i = 0; i < 4; ++i)
          for (int k = 0; k < 3; ++k) mean[k] += at(x + i % 2, y + i / 2)[k] / 4.0;
        const double grey = luma(mean[0], mean[1], mean[2]);
        const auto i = static_cast<std::size_t>(x / 2 + p.view.width / 2 * (y / 2));
        EXPECT_NEAR(p.cb[i], 128 + 224 * (mean[2] - grey) / 1.8556 / 255, 0.51);
        EXPECT_NEAR(p.cr[i], 128 + 224 * (mean[0] - grey) / 1.5748 / 255, 0.51);
      }
  }
}

}  // namespace
}  // namespace isocenter::detail::io
