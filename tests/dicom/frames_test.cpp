// Pictures and labels out of single objects: colours, windows, places.
#include <gmock/gmock.h>

#include <isocenter/error.hpp>

#include "dicom/picture.hpp"
#include "dicom/read_segmentation.hpp"
#include "dicom/read_slide.hpp"
#include "dicom/rle.hpp"
#include "dicom/single_object.hpp"
#include "dicom/synthetic_series.hpp"

namespace {

using namespace isocenter::detail::dicom;
using namespace isocenter::testing;
using isocenter::Failure;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

const fs::path data = ISOCENTER_TEST_DATA;

std::vector<std::uint8_t> picture_of(const fs::path& file, const GreyDisplay* display = nullptr) {
  const Image image = open_image(file.string());
  bool unstated = false;
  const GreyDisplay shown = display != nullptr ? *display : read_grey_display(file.string(), image, unstated);
  std::vector<std::uint8_t> rgb(3 * static_cast<std::size_t>(image.format.rows * image.format.columns));
  PictureReader().read(image, 0, shown, rgb);
  return rgb;
}

/// Two rows of two pixels with these stored values, 12 bits unsigned, no rescale.
SyntheticSlice four_pixels(std::vector<std::uint16_t> values) {
  SyntheticSlice s;
  s.rows = s.columns = 2;
  s.modality = "MR";
  s.pixels = std::move(values);
  return s;
}

TEST(DicomPicture, AWindowFollowsTheFormulaOfTheStandard) {
  // PS3.3 C.11.2.1.2.1, note 4: with centre 2048 and width 4096, y = ((x - 2047.5) / 4095 + 0.5) * 255.
  const ScratchFolder folder;
  SyntheticSlice s = four_pixels({0, 1000, 2048, 4095});
  s.set = {{0x00281050, "2048"}, {0x00281051, "4096"}};
  write_slice(folder / "a.dcm", s);
  const auto rgb = picture_of(folder / "a.dcm");
  const std::vector<std::uint8_t> red{rgb[0], rgb[3], rgb[6], rgb[9]};
  EXPECT_THAT(red, ElementsAre(0, 62, 128, 255));
}

TEST(DicomPicture, Monochrome1IsShownInverted) {
  const ScratchFolder folder;
  SyntheticSlice s = four_pixels({0, 1, 2, 4095});
  s.set = {{0x00280004, "MONOCHROME1"}};
  write_slice(folder / "a.dcm", s);
  const auto rgb = picture_of(folder / "a.dcm");
  EXPECT_EQ(rgb[0], 255);
  EXPECT_EQ(rgb[9], 0);
}

TEST(DicomPicture, AColourImageIsNoVolumeAndNoFault) {
  const Image image = open_image((data / "syntax" / "color-pl.dcm").string());
  EXPECT_EQ(image.unusable, "");
  EXPECT_THAT(image.no_volume, HasSubstr("SamplesPerPixel (0028,0002) = 3"));
}

TEST(DicomPicture, AnRleFrameThatEndsTooEarlyIsRefused) {
  std::vector<std::uint8_t> frame(64, 0);
  frame[0] = 1;
  frame[4] = 64;
  frame.insert(frame.end(), {3, 9, 8, 7, 6, 254, 5});
  std::vector<std::uint8_t> seven(7), eight(8);
  EXPECT_EQ(decode_rle(frame, 1, 1, seven), "");
  EXPECT_THAT(seven, ElementsAre(9, 8, 7, 6, 5, 5, 5));
  EXPECT_THAT(decode_rle(frame, 1, 1, eight), HasSubstr("ends before its 8 bytes"));
  frame[4] = 63;
  EXPECT_THAT(decode_rle(frame, 1, 1, seven), HasSubstr("lies outside"));
  frame[0] = 2;
  EXPECT_THAT(decode_rle(frame, 1, 1, seven), HasSubstr("announces 2 segments"));
}

std::uint32_t crc32_of(const std::vector<std::uint8_t>& bytes) {
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const std::uint8_t b : bytes) {
    crc ^= b;
    for (int k = 0; k < 8; ++k) crc = (crc & 1U) != 0 ? 0xEDB88320U ^ (crc >> 1U) : crc >> 1U;
  }
  return ~crc;
}

std::vector<std::uint8_t> region_of(const Slide& slide, const SlideRegion& region) {
  std::vector<std::uint8_t> rgb(3 * static_cast<std::size_t>(region.width) * static_cast<std::size_t>(region.height));
  read_region(
      slide, region, Workers(), [] {}, rgb);
  return rgb;
}

TEST(DicomSlide, ARegionAcrossTilesIsWhatHighdicomPutsTogether) {
  // CRC-32 of highdicom 0.28's get_total_pixel_matrix(apply_icc_profile=False), and of [7:33, 13:48] of it.
  const Slide slide = open_slide((data / "modalities" / "wsi_25tiles.dcm").string());
  EXPECT_EQ(slide.tiles_x, 5);
  EXPECT_EQ(crc32_of(region_of(slide, {0, 0, 50, 50})), 0xbb12ac9fU);
  EXPECT_EQ(crc32_of(region_of(slide, {13, 7, 35, 26})), 0x71c697b6U);
}

TEST(DicomSlide, AnImageThatIsNoSlideIsRefused) {
  try {
    open_slide((data / "syntax" / "color-pl.dcm").string());
    FAIL() << "not refused";
  } catch (const Failure& f) {
    EXPECT_THAT(f.what(), HasSubstr("TotalPixelMatrixColumns (0048,0006) = '' is no size of a slide"));
  }
}

struct Labels {
  VoxelGrid grid;
  std::vector<std::uint8_t> voxels;
};

Labels labels_of(const SegmentationObject& object, const VoxelGrid& grid,
                 SegmentOverlap overlap = SegmentOverlap::refuse, double threshold = 0.5) {
  Labels l{grid, std::vector<std::uint8_t>(static_cast<std::size_t>(grid.extent[0]) *
                                           static_cast<std::size_t>(grid.extent[1]) *
                                           static_cast<std::size_t>(grid.extent[2]))};
  read_labels(object, grid, threshold, overlap, l.voxels, [](double) {});
  return l;
}

std::size_t count_of(const Labels& l, std::uint8_t label) {
  return static_cast<std::size_t>(std::count(l.voxels.begin(), l.voxels.end(), label));
}

TEST(DicomSegmentation, OneBitFramesAreTheSameInEveryCompression) {
  // The numbers of voxels are pydicom's for the JPEG 2000 file.
  std::vector<std::vector<std::uint8_t>> all;
  for (const char* name : {"seg_liver_1bit_j2k.dcm", "seg_liver_1bit_rle.dcm", "seg_liver_1bit_deflate.dcm"}) {
    const SegmentationObject object = open_segmentation((data / "modalities" / name).string());
    const Labels l = labels_of(object, natural_grid(object));
    EXPECT_EQ(count_of(l, 1), 107098U) << name;
    all.push_back(l.voxels);
  }
  EXPECT_EQ(all[0], all[1]);
  EXPECT_EQ(all[0], all[2]);
}

TEST(DicomSegmentation, FramesFollowAMirroredReference) {
  const SegmentationObject object = open_segmentation((data / "modalities" / "seg_liver_1bit_rle.dcm").string());
  const VoxelGrid own = natural_grid(object);
  VoxelGrid mirrored = own;
  mirrored.origin = own.origin + own.axis[0] * (own.spacing[0] * (own.extent[0] - 1));
  mirrored.axis[0] = own.axis[0] * -1.0;
  const Labels a = labels_of(object, own), b = labels_of(object, mirrored);
  for (int z = 0; z < own.extent[2]; ++z)
    for (int y = 0; y < own.extent[1]; ++y)
      for (int x = 0; x < own.extent[0]; ++x)
        ASSERT_EQ(a.voxels[own.offset(x, y, z)], b.voxels[own.offset(own.extent[0] - 1 - x, y, z)]);
}

TEST(DicomSegmentation, AReferenceOffTheVoxelsIsRefused) {
  const SegmentationObject object = open_segmentation((data / "modalities" / "seg_liver_1bit_rle.dcm").string());
  VoxelGrid grid = natural_grid(object);
  grid.origin = grid.origin + grid.axis[0] * (0.3 * grid.spacing[0]);
  try {
    labels_of(object, grid);
    FAIL() << "not refused";
  } catch (const Failure& f) {
    EXPECT_THAT(f.what(), HasSubstr("frame 1 does not lie on the voxels of the reference"));
  }
}

TEST(DicomSegmentation, AFractionCountsFromTheThresholdOn) {
  // Numbers of voxels from pydicom's pixels of the same file.
  const SegmentationObject object = open_segmentation((data / "modalities" / "seg_ct_fractional.dcm").string());
  const VoxelGrid grid = natural_grid(object);
  EXPECT_EQ(count_of(labels_of(object, grid, SegmentOverlap::first, 0.5), 1), 638U);
  EXPECT_EQ(count_of(labels_of(object, grid, SegmentOverlap::first, 0.9), 1), 0U);
}

}  // namespace
