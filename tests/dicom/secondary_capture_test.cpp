// Colour frames as a multi-frame secondary capture.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <isocenter/error.hpp>

#include "dicom/validate.hpp"
#include "dicom/write_secondary_capture.hpp"
#include "dicom/written_objects.hpp"

namespace {

using namespace isocenter::testing;
using isocenter::Failure;

std::vector<std::uint8_t> gradient(int count, int height, int width) {
  std::vector<std::uint8_t> pixels;
  for (int n = 0; n < count; ++n)
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x) {
        pixels.push_back(static_cast<std::uint8_t>(255 * x / width));
        pixels.push_back(static_cast<std::uint8_t>(255 * y / height));
        pixels.push_back(static_cast<std::uint8_t>(40 * n));
      }
  return pixels;
}

class SecondaryCaptureOf : public ::testing::TestWithParam<FrameCompression> {};

TEST_P(SecondaryCaptureOf, ColourFramesIsValidAndDecodesToThem) {
  const ScratchFolder folder;
  write_oblique(folder / "in");
  const Source source(folder / "in");
  constexpr int count = 5, height = 37, width = 51;
  const std::vector<std::uint8_t> pixels = gradient(count, height, width);
  SecondaryCapture capture({width, height, 40, GetParam(), 95});
  capture.add(std::span(pixels).first(2 * height * width * 3), Workers());
  capture.add(std::span(pixels).subspan(2 * height * width * 3), Workers());
  const fs::path file = folder / "sc.dcm";
  capture.write(file.string(), source.metadata, description());
  EXPECT_EQ(validation_errors(file), "");
  EXPECT_EQ(value(file, DCM_NumberOfFrames), "5");
  EXPECT_EQ(value(file, DCM_FrameTime), "40");
  EXPECT_EQ(value(file, DCM_StudyInstanceUID), "1.2.3");

  DcmFileFormat format;
  ASSERT_TRUE(format.loadFile(OFFilename(file.c_str())).good());
  ASSERT_TRUE(format.getDataset()->chooseRepresentation(EXS_LittleEndianExplicit, nullptr).good());
  const Uint8* bytes = nullptr;
  unsigned long n = 0;
  ASSERT_TRUE(format.getDataset()->findAndGetUint8Array(DCM_PixelData, bytes, &n).good());
  ASSERT_GE(n, pixels.size());
  double worst = 0, sum = 0;
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    const double d = std::abs(static_cast<double>(bytes[i]) - pixels[i]);
    worst = std::max(worst, d);
    sum += d;
  }
  if (GetParam() == FrameCompression::jpeg_baseline) {
    EXPECT_LT(sum / static_cast<double>(pixels.size()), 2.0);
    EXPECT_EQ(value(file, DCM_LossyImageCompression), "01");
    EXPECT_EQ(value(file, DCM_LossyImageCompressionMethod), "ISO_10918_1");
  } else {
    EXPECT_EQ(worst, 0);
    EXPECT_EQ(value(file, DCM_LossyImageCompression), "00");
  }
}

INSTANTIATE_TEST_SUITE_P(Compressions, SecondaryCaptureOf,
                         ::testing::Values(FrameCompression::none, FrameCompression::rle,
                                           FrameCompression::jpeg_baseline));

TEST(SecondaryCapture, AFullDiskStopsALargeFrameToo) {
  const ScratchFolder folder;
  const std::vector<std::uint8_t> pixels(3 * 700 * 600, 7);  // beyond the buffer: written at once
  SecondaryCapture capture({700, 600, 40, FrameCompression::none, 90});
  capture.add(pixels, Workers());
  const SmallDisk disk(64 << 10);
  EXPECT_THROW(capture.write((folder / "sc.dcm").string(), {}, description()), Failure);
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(SecondaryCapture, FramesWithoutARateAreRefused) {
  EXPECT_THROW(SecondaryCapture({10, 10, 0, FrameCompression::none, 90}), Failure);
  EXPECT_THROW(SecondaryCapture({70000, 10, 40, FrameCompression::none, 90}), Failure);
}

}  // namespace
