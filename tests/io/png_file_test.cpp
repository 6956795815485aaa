// PNG: files that Pillow wrote (data/make_fixtures.py), and ours read back with libpng's own simple reader.
#include "io/png_file.hpp"

#include <png.h>

#include "io_test.hpp"

namespace isocenter::detail::io {
namespace {
using namespace io_test;

struct Picture {
  PngInfo info;
  std::vector<std::uint8_t> bytes;
};

Picture gradient(PngLayout layout, int width, int height) {
  Picture p;
  p.info.layout = layout;
  p.info.width = width;
  p.info.height = height;
  p.bytes.resize(static_cast<std::size_t>(p.info.row_bytes() * height));
  for (std::size_t i = 0; i < p.bytes.size(); ++i) p.bytes[i] = static_cast<std::uint8_t>(i * 37 + i / 100);
  return p;
}

void write(const fs::path& path, const Picture& p) { write_png(path, p.info, p.bytes.data(), p.info.row_bytes()); }

std::vector<std::uint8_t> read_all(const fs::path& path) {
  const PngInfo info = read_png_info(path);
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(info.row_bytes() * info.height));
  read_png(path, info, std::as_writable_bytes(std::span(bytes)));
  return bytes;
}

/// libpng's simplified reader: 8-bit formats as they are.
std::vector<std::uint8_t> read_with_libpng(const fs::path& path, png_uint_32 format) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  EXPECT_NE(png_image_begin_read_from_file(&image, path.c_str()), 0) << image.message;
  EXPECT_EQ(image.format, format);
  std::vector<std::uint8_t> bytes(PNG_IMAGE_SIZE(image));
  EXPECT_NE(png_image_finish_read(&image, nullptr, bytes.data(), 0, nullptr), 0) << image.message;
  return bytes;
}

/// The content of a chunk; empty when there is none.
std::string chunk(const fs::path& path, const std::string& type) {
  const std::vector<char> bytes = bytes_of(path);
  const std::string all(bytes.begin(), bytes.end());
  const auto at = all.find(type);
  if (at == std::string::npos) return {};
  const auto length = static_cast<unsigned char>(all[at - 1]);
  return all.substr(at + 4, length);
}

TEST(Png, ColoursAndGreysReadBackTheSameInLibpng) {
  const TemporaryFolder folder;
  for (const auto& [width, height] : {std::pair{1, 1}, {7, 5}, {640, 33}}) {
    const Picture colours = gradient(PngLayout::rgb8, width, height), greys = gradient(PngLayout::grey8, width, height);
    write(folder / "rgb.png", colours);
    write(folder / "grey.png", greys);
    EXPECT_EQ(read_with_libpng(folder / "rgb.png", PNG_FORMAT_RGB), colours.bytes);
    EXPECT_EQ(read_with_libpng(folder / "grey.png", PNG_FORMAT_GRAY), greys.bytes);
    EXPECT_EQ(read_all(folder / "rgb.png"), colours.bytes);
  }
}

TEST(Png, Greys16KeepEveryBit) {
  const TemporaryFolder folder;
  Picture p = gradient(PngLayout::grey16, 300, 219);
  const auto values = std::span(reinterpret_cast<std::uint16_t*>(p.bytes.data()), p.bytes.size() / 2);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::uint16_t>(i);
  write(folder / "deep.png", p);
  EXPECT_EQ(read_all(folder / "deep.png"), p.bytes);
  // The standard stores 16 bits high byte first; the first row is filtered against zero.
  EXPECT_EQ(read_png_info(folder / "deep.png").layout, PngLayout::grey16);
}

TEST(Png, ReadsWhatPillowWrote) {
  const auto grey8 = read_all(fixture("grey8.png")), rgb = read_all(fixture("rgb8.png"));
  const auto palette = read_all(fixture("palette.png")), deep = read_all(fixture("grey16.png"));
  for (unsigned y = 0; y < 4; ++y)
    for (unsigned x = 0; x < 7; ++x) {
      const std::size_t i = x + 7 * y;
      EXPECT_EQ(grey8[i], 10 * y + x);
      std::uint16_t value = 0;
      std::memcpy(&value, &deep[2 * i], 2);
      EXPECT_EQ(value, 1000 * y + x);
      EXPECT_EQ(rgb[3 * i], 10 * x);
      EXPECT_EQ(rgb[3 * i + 1], 20 * y);
      EXPECT_EQ(rgb[3 * i + 2], 5 * x * y);
      EXPECT_NEAR(palette[3 * i], 10 * x, 1);
    }
  const PngInfo info = read_png_info(fixture("grey8.png"));
  EXPECT_NEAR(info.pixel_width_mm, 0.5, 1e-9);
  EXPECT_NEAR(info.pixel_height_mm, 1.0, 1e-9);
  EXPECT_EQ(read_png_info(fixture("rgb8.png")).pixel_width_mm, 0);
}

TEST(Png, StatesPixelSizeAndColourSpaceInTheirChunks) {
  const TemporaryFolder folder;
  Picture p = gradient(PngLayout::rgb8, 4, 4);
  p.info.pixel_width_mm = 0.7;
  p.info.pixel_height_mm = 0.5;
  p.info.is_srgb = true;
  write(folder / "a.png", p);
  // Pixels per metre, high byte first, then 1 for "metre": 1429 = 0x595, 2000 = 0x7D0.
  EXPECT_EQ(chunk(folder / "a.png", "pHYs"), std::string("\0\0\x05\x95\0\0\x07\xD0\x01", 9));
  EXPECT_EQ(chunk(folder / "a.png", "sRGB"), std::string("\0", 1));
  const PngInfo back = read_png_info(folder / "a.png");
  EXPECT_NEAR(back.pixel_width_mm, 0.7, 0.0003);
  EXPECT_TRUE(back.is_srgb);
  write(folder / "b.png", gradient(PngLayout::grey16, 4, 4));
  EXPECT_EQ(chunk(folder / "b.png", "pHYs"), "");
  EXPECT_EQ(chunk(folder / "b.png", "sRGB"), "");
}

TEST(Png, RowsMayLieApart) {
  const TemporaryFolder folder;
  const Picture wide = gradient(PngLayout::rgb8, 10, 6);
  PngInfo left = wide.info;
  left.width = 4;
  write_png(folder / "left.png", left, wide.bytes.data(), wide.info.row_bytes());
  const auto bytes = read_all(folder / "left.png");
  for (std::size_t y = 0; y < 6; ++y)
    for (std::size_t x = 0; x < 12; ++x) EXPECT_EQ(bytes[12 * y + x], wide.bytes[30 * y + x]);
}

TEST(Png, RefusesWhatIsNoPictureOfOurs) {
  const TemporaryFolder folder;
  expect_failure([] { read_png_info(fixture("alpha.png")); }, ErrorCode::unsupported, {"alpha.png", "transparency"});
  expect_failure([&] { read_png_info(folder / "none.png"); }, ErrorCode::not_found, {"none.png", "No such file"});
  write_bytes(folder / "text.png", {'h', 'e', 'l', 'l', 'o'});
  expect_failure([&] { read_png_info(folder / "text.png"); }, ErrorCode::bad_data,
                 {"text.png", "does not begin as a PNG"});
}

TEST(Png, RefusesTruncatedAndDamagedFiles) {
  const TemporaryFolder folder;
  write(folder / "whole.png", gradient(PngLayout::rgb8, 64, 64));
  const std::vector<char> whole = bytes_of(folder / "whole.png");
  for (const std::size_t size : {std::size_t{9}, std::size_t{30}, whole.size() / 2, whole.size() - 13}) {
    write_bytes(folder / "cut.png", {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
    expect_failure([&] { read_all(folder / "cut.png"); }, ErrorCode::bad_data, {"cut.png", "truncated"});
  }
  std::vector<char> damaged = whole;
  damaged[whole.size() / 2] ^= 0x10;
  write_bytes(folder / "damaged.png", damaged);
  expect_failure([&] { read_all(folder / "damaged.png"); }, ErrorCode::bad_data, {"damaged.png", "is damaged"});
}

TEST(Png, RefusesAPictureWithoutPixels) {
  const TemporaryFolder folder;
  PngInfo info;
  expect_failure([&] { write_png(folder / "empty.png", info, nullptr, 0); }, ErrorCode::bad_data, {"0 x 0"});
  EXPECT_THAT(folder.names(), ::testing::IsEmpty());
}

}  // namespace
}  // namespace isocenter::detail::io
