// The decoders of this module against the encoders of others.
#include <charls/charls.h>
#include <gmock/gmock.h>

#include <array>
#include <cmath>
#include <random>

#include "dicom/frame_encoder.hpp"
#include "dicom/jpegls_scan.hpp"
#include "dicom/rle.hpp"

namespace {

using namespace isocenter::detail::dicom;
using Picture = std::vector<std::uint16_t>;

enum class Content { flat, ramp, noise, smooth_noise, spikes, steps };
constexpr std::array all_contents{Content::flat,         Content::ramp,   Content::noise,
                                  Content::smooth_noise, Content::spikes, Content::steps};

Picture make_picture(Content content, int rows, int columns, int bits) {
  std::mt19937 random(static_cast<unsigned>(1000 * rows + columns));
  const auto top = static_cast<std::uint32_t>((1 << bits) - 1);
  Picture picture;
  for (int y = 0; y < rows; ++y)
    for (int x = 0; x < columns; ++x) {
      std::uint32_t v = top / 2;
      if (content == Content::ramp) v = static_cast<std::uint32_t>(3 * x + 2 * y);
      if (content == Content::noise) v = static_cast<std::uint32_t>(random());
      if (content == Content::smooth_noise)
        v = static_cast<std::uint32_t>(100 + 2 * x + y + static_cast<int>(random() % 7));
      if (content == Content::spikes) v = random() % 23 == 0 ? top : 0;
      if (content == Content::steps) v = x / 9 % 2 == y / 5 % 2 ? 3 : 200;
      picture.push_back(static_cast<std::uint16_t>(v & top));
    }
  return picture;
}

std::vector<std::uint8_t> bytes_of(const Picture& picture, int bits) {
  std::vector<std::uint8_t> bytes;
  for (const std::uint16_t v : picture) {
    bytes.push_back(static_cast<std::uint8_t>(v & 0xFFU));
    if (bits > 8) bytes.push_back(static_cast<std::uint8_t>(v >> 8U));
  }
  return bytes;
}

/// JPEG-LS of CharLS; its header written out with these coding parameters unless they are the default ones.
std::vector<std::uint8_t> encoded(const std::vector<std::uint8_t>& pixels, const JpeglsScan& scan,
                                  bool preset = false) {
  std::vector<std::uint8_t> codestream(8 * pixels.size() + 4096);
  charls::jpegls_encoder encoder;
  encoder.frame_info({static_cast<std::uint32_t>(scan.columns), static_cast<std::uint32_t>(scan.rows), scan.bits, 1});
  if (preset)
    encoder.preset_coding_parameters(
        {scan.maximum, scan.thresholds[0], scan.thresholds[1], scan.thresholds[2], scan.reset});
  encoder.destination(codestream);
  codestream.resize(encoder.encode(pixels));
  return codestream;
}

JpeglsScan scan_of(int rows, int columns, int bits) {
  const int maximum = (1 << bits) - 1, factor = (std::min(maximum, 4095) + 128) / 256;
  return {rows, columns, bits, maximum, {factor + 2, 4 * factor + 3, 17 * factor + 4}, 64};
}

TEST(DicomCodec, OurJpeglsScanGivesThePixelsThatCharlsEncoded) {
  for (const int bits : {8, 9, 12, 15, 16})
    for (const auto& [rows, columns] : {std::pair{1, 1}, {1, 40}, {40, 1}, {2, 2}, {33, 17}, {64, 131}})
      for (const Content content : all_contents) {
        const JpeglsScan scan = scan_of(rows, columns, bits);
        const auto pixels = bytes_of(make_picture(content, rows, columns, bits), bits);
        std::vector<std::uint8_t> decoded(pixels.size(), 0xAA);
        ASSERT_TRUE(decode_jpegls_scan(encoded(pixels, scan), scan, decoded))
            << bits << " bits, " << rows << " x " << columns << ", content " << static_cast<int>(content);
        ASSERT_EQ(decoded, pixels) << bits << " bits, " << rows << " x " << columns << ", content "
                                   << static_cast<int>(content);
      }
}

TEST(DicomCodec, OurJpeglsScanTakesTheThresholdsAndResetOfTheCodestream) {
  JpeglsScan scan = scan_of(50, 37, 12);
  scan.thresholds[0] = 5;
  scan.thresholds[1] = 30;
  scan.thresholds[2] = 90;
  scan.reset = 31;
  for (const Content content : all_contents) {
    const auto pixels = bytes_of(make_picture(content, 50, 37, 12), 12);
    std::vector<std::uint8_t> decoded(pixels.size());
    ASSERT_TRUE(decode_jpegls_scan(encoded(pixels, scan, true), scan, decoded));
    ASSERT_EQ(decoded, pixels);
  }
}

TEST(DicomCodec, AJpeglsScanThatIsCutShortOrDamagedIsLeftToCharls) {
  const JpeglsScan scan = scan_of(20, 30, 12);
  const auto pixels = bytes_of(make_picture(Content::smooth_noise, 20, 30, 12), 12);
  const auto whole = encoded(pixels, scan);
  std::vector<std::uint8_t> decoded(pixels.size());
  for (std::size_t n = 0; n < whole.size(); ++n)
    EXPECT_FALSE(decode_jpegls_scan({whole.data(), n}, scan, decoded)) << n << " of " << whole.size() << " bytes";
  std::mt19937 random(7);
  for (int i = 0; i < 2000; ++i) {  // any bytes are decoded without a fault; most are noticed
    auto damaged = whole;
    damaged[random() % damaged.size()] = static_cast<std::uint8_t>(random());
    decode_jpegls_scan(damaged, scan, decoded);
  }
}

TEST(DicomCodec, JpeglsThatIsNearLosslessIsLeftToCharls) {
  const JpeglsScan scan = scan_of(20, 30, 8);
  const auto pixels = bytes_of(make_picture(Content::smooth_noise, 20, 30, 8), 8);
  std::vector<std::uint8_t> codestream(8 * pixels.size() + 4096), decoded(pixels.size());
  charls::jpegls_encoder encoder;
  encoder.frame_info({30, 20, 8, 1}).near_lossless(2);
  encoder.destination(codestream);
  codestream.resize(encoder.encode(pixels));
  EXPECT_FALSE(decode_jpegls_scan(codestream, scan, decoded));
}

TEST(DicomCodec, OurRleGivesThePixelsThatDcmtkEncoded) {
  for (const int bits : {8, 16})
    for (const auto& [rows, columns] : {std::pair{2, 1}, {1, 300}, {33, 17}, {64, 131}, {200, 200}})
      for (const Content content : all_contents) {
        const auto pixels = bytes_of(make_picture(content, rows, columns, bits), bits);
        const auto frame = compress_frame({rows, columns, bits, false}, pixels, LosslessCompression::rle);
        std::vector<std::uint8_t> decoded(pixels.size());
        ASSERT_EQ(decode_rle(frame, 1, bits / 8, decoded), "");
        ASSERT_EQ(decoded, pixels) << bits << " bits, " << rows << " x " << columns;
      }
}

}  // namespace
