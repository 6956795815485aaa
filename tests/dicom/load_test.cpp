// From a folder to a volume: values, geometry, what is refused, and what the remedies do.
#include "dicom/load.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <isocenter/error.hpp>
#include <sstream>
#include <thread>

#include "dicom/frame_decoder.hpp"
#include "dicom/header_reader.hpp"
#include "dicom/inspect.hpp"
#include "dicom/picture.hpp"
#include "dicom/single_object.hpp"
#include "dicom/synthetic_series.hpp"
#include "dicom/toolkit.hpp"

namespace {

using namespace isocenter::detail::dicom;
using namespace isocenter::testing;
using isocenter::ErrorCode;
using isocenter::Failure;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

const fs::path data = ISOCENTER_TEST_DATA;
const fs::path chest = fs::path(ISOCENTER_SOURCE_DIR) / "phantoms" / "ct_chest_lidc-idri-0314";

/// Four threads that a test can rely on to run at once.
Workers four_threads() {
  isocenter_launcher l{};
  l.struct_size = sizeof l;
  l.concurrency = 4;
  l.parallel_for = [](void*, std::int64_t count, std::int64_t, void (*body)(void*, std::int64_t, std::int64_t),
                      void* job) {
    std::vector<std::thread> threads;
    for (std::int64_t t = 0; t < 4; ++t)
      threads.emplace_back([=] {
        for (std::int64_t i = t; i < count; i += 4) body(job, i, i + 1);
      });
    for (auto& t : threads) t.join();
  };
  return Workers(l);
}

struct Loaded {
  Report report;
  LoadPlan plan;
  std::vector<float> voxels;

  float at(int x, int y, int z) const {
    return voxels[static_cast<std::size_t>((z * plan.grid.ny + y) * plan.grid.nx + x)];
  }
};

std::unique_ptr<Loaded> load_here(const fs::path& path, const LoadOptions& options = {}, const Workers& workers = {}) {
  auto loaded = std::make_unique<Loaded>();
  loaded->report = inspect(path.string(), workers);
  loaded->plan = plan_load(loaded->report, options);
  const StackGeometry& g = loaded->plan.grid;
  loaded->voxels.assign(
      static_cast<std::size_t>(g.nx) * static_cast<std::size_t>(g.ny) * static_cast<std::size_t>(g.nz), -1e30F);
  load(loaded->plan, workers, loaded->voxels);
  return loaded;
}

std::string refusal(const fs::path& path, const LoadOptions& options = {}) {
  try {
    load_here(path, options);
  } catch (const Failure& f) {
    return f.what();
  }
  return "(not refused)";
}

template <class T>
std::uint32_t crc32(const std::vector<T>& values) {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t c = i;
    for (int k = 0; k < 8; ++k) c = (c & 1U) != 0 ? 0xEDB88320U ^ (c >> 1U) : c >> 1U;
    table[i] = c;
  }
  std::uint32_t crc = 0xFFFFFFFFU;
  const auto* bytes = reinterpret_cast<const unsigned char*>(values.data());
  for (std::size_t i = 0; i < values.size() * sizeof(T); ++i) crc = table[(crc ^ bytes[i]) & 0xFFU] ^ (crc >> 8U);
  return crc ^ 0xFFFFFFFFU;
}

struct Expected {
  std::string name, shape;
  float low = 0, high = 0;
  std::uint32_t crc = 0;
};

std::vector<Expected> expected_values() {
  std::vector<Expected> all;
  std::ifstream file(data / "expected_values.txt");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    Expected e;
    words >> e.name >> e.shape >> e.low >> e.high >> std::hex >> e.crc;
    all.push_back(e);
  }
  return all;
}

/// Every frame of one file, whether or not it has a place in the patient.
std::vector<float> all_frames(const fs::path& file) {
  use_dcmtk();
  const ScannedFile scanned = read_header(file.string(), file.filename().string());
  if (!scanned.image || !scanned.image->unusable.empty()) return {};
  const Image& image = *scanned.image;
  const auto plane = static_cast<std::size_t>(image.format.rows) * static_cast<std::size_t>(image.format.columns);
  std::vector<float> values(plane * image.frames.size());
  FrameDecoder decoder;
  for (std::size_t i = 0; i < image.frames.size(); ++i)
    decoder.decode(image, image.frames[i], image.frames[i].rescale.value_or(Rescale{}),
                   std::span(values).subspan(i * plane, plane));
  return values;
}

/// Every frame of a colour file as RGB.
std::vector<std::uint8_t> all_pictures(const fs::path& file) {
  const Image image = open_image(file.string());
  EXPECT_EQ(why_no_picture(image), "") << file;
  const auto frame = 3 * static_cast<std::size_t>(image.format.rows) * static_cast<std::size_t>(image.format.columns);
  std::vector<std::uint8_t> rgb(frame * image.frames.size());
  PictureReader reader;
  for (std::size_t i = 0; i < image.frames.size(); ++i)
    reader.read(image, static_cast<int>(i), {}, std::span(rgb).subspan(i * frame, frame));
  return rgb;
}

/// Replaces the first occurrence of some bytes in a file.
void overwrite(const fs::path& path, const std::string& old_bytes, const std::string& new_bytes) {
  std::ifstream in(path, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(in)), {});
  const std::size_t at = bytes.find(old_bytes);
  ASSERT_NE(at, std::string::npos);
  bytes.replace(at, new_bytes.size(), new_bytes);
  std::ofstream(path, std::ios::binary) << bytes;
}

TEST(DicomLoad, EveryBundledFileHasThePixelsThatPydicomGives) {
  const auto all = expected_values();
  ASSERT_GT(all.size(), 50U);
  for (const Expected& e : all) {
    if (e.name.rfind("ct_chest", 0) == 0) continue;
    if (std::count(e.shape.begin(), e.shape.end(), 'x') == 3) {  // frames x rows x columns x 3: colour
      EXPECT_EQ(crc32(all_pictures(data / e.name)), e.crc) << e.name;
      continue;
    }
    const std::vector<float> values = all_frames(data / e.name);
    ASSERT_FALSE(values.empty()) << e.name;
    EXPECT_EQ(*std::min_element(values.begin(), values.end()), e.low) << e.name;
    EXPECT_EQ(*std::max_element(values.begin(), values.end()), e.high) << e.name;
    EXPECT_EQ(crc32(values), e.crc) << e.name;
  }
}

TEST(DicomLoad, TheChestIsBitForBitThatOfPydicom) {
  const auto all = expected_values();
  const auto e =
      std::find_if(all.begin(), all.end(), [](const Expected& x) { return x.name == "ct_chest_lidc-idri-0314"; });
  ASSERT_NE(e, all.end());
  const auto loaded = load_here(chest, {}, four_threads());
  EXPECT_EQ(e->shape, "60x512x512");
  EXPECT_EQ(crc32(loaded->voxels), e->crc);
  EXPECT_EQ(loaded->plan.unit, "HU");
}

TEST(DicomLoad, ValuesLieWhereTheirPositionSays) {
  const ScratchFolder folder;
  write_series(folder.path(), 5);
  const auto v = load_here(folder.path());
  for (int z = 0; z < 5; ++z) {
    const SyntheticSlice s{.instance_number = 5 - z};
    for (int y = 0; y < 6; ++y)
      for (int x = 0; x < 7; ++x) EXPECT_EQ(v->at(x, y, z), static_cast<float>(stored_value(s, x, y) - 1024));
  }
  const StackGeometry& g = v->plan.grid;
  EXPECT_DOUBLE_EQ(g.origin.z, -10);
  EXPECT_NEAR(g.dz_mm, 2.5, 1e-9);
}

TEST(DicomLoad, SlicesFromHeadToFeetComeInTheOrderOfTheNormal) {
  const ScratchFolder folder;
  SyntheticSlice s;
  s.orientation = {1, 0, 0, 0, -1, 0};  // row x column points to the feet
  write_series(folder.path(), 3, 0, 2, s);
  const auto v = load_here(folder.path());
  EXPECT_DOUBLE_EQ(v->plan.grid.normal.z, -1);
  EXPECT_DOUBLE_EQ(v->plan.grid.origin.z, 4);
}

TEST(DicomLoad, RescaleIsThatOfEachSlice) {
  const ScratchFolder folder;
  SyntheticSlice a{.instance_number = 1, .slope = 2, .intercept = -100};
  SyntheticSlice b{.position = {0, 0, 1}, .instance_number = 2, .slope = 0.5, .intercept = 7};
  write_slice(folder / "a", a);
  write_slice(folder / "b", b);
  const auto v = load_here(folder.path());
  EXPECT_EQ(v->at(3, 2, 0), static_cast<float>(2 * stored_value(a, 3, 2) - 100));
  EXPECT_EQ(v->at(3, 2, 1), static_cast<float>(0.5 * stored_value(b, 3, 2) + 7));
}

TEST(DicomLoad, BitsBeyondBitsStoredAreMaskedAndTheSignIsExtended) {
  const ScratchFolder folder;
  SyntheticSlice s{.rows = 1, .columns = 4, .is_signed = true, .bits_stored = 12, .slope = 1, .intercept = 0};
  s.pixels = {0xF7FF, 0x5800, 0xAFFF, 0x3001};  // 2047, -2048, -1, 1 under junk
  write_slice(folder / "s", s);
  EXPECT_THAT(load_here(folder.path())->voxels, ::testing::ElementsAre(2047, -2048, -1, 1));
  s.is_signed = false;
  write_slice(folder / "s", s);
  EXPECT_THAT(load_here(folder.path())->voxels, ::testing::ElementsAre(2047, 2048, 4095, 1));
}

TEST(DicomLoad, AHighBitAboveBitsStoredShiftsTheValue) {
  const ScratchFolder folder;
  SyntheticSlice s{.rows = 1, .columns = 2, .is_signed = true, .bits_stored = 12, .slope = 1, .intercept = 0};
  s.pixels = {0x7FF9, 0x8003};  // twelve bits at the top, junk below
  s.set = {{0x00280102, "15"}};
  write_slice(folder / "s", s);
  EXPECT_THAT(load_here(folder.path())->voxels, ::testing::ElementsAre(2047, -2048));
}

TEST(DicomLoad, SixteenBitUnsignedValuesAreExact) {
  const ScratchFolder folder;
  SyntheticSlice s{.rows = 1, .columns = 3, .bits_stored = 16, .slope = 1, .intercept = 0};
  s.pixels = {0, 32768, 65535};
  write_slice(folder / "s", s);
  EXPECT_THAT(load_here(folder.path())->voxels, ::testing::ElementsAre(0, 32768, 65535));
}

TEST(DicomLoad, ResultsDoNotDependOnTheNumberOfThreads) {
  const ScratchFolder folder;
  SyntheticSlice s;
  s.transfer_syntax = "1.2.840.10008.1.2.5";  // RLE
  write_series(folder.path(), 9, 0, 1, s);
  EXPECT_EQ(load_here(folder.path())->voxels, load_here(folder.path(), {}, four_threads())->voxels);
}

TEST(DicomLoad, EveryLosslessSyntaxGivesTheSameValues) {
  for (const int bits : {8, 12, 16}) {
    std::vector<float> native;
    for (const char* syntax :
         {"1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99",
          "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"}) {
      const ScratchFolder folder;
      SyntheticSlice s{.rows = 17, .columns = 23, .bits_stored = bits};
      for (int i = 0; i < 17 * 23; ++i)
        s.pixels.push_back(
            static_cast<std::uint16_t>((i * 2654435761U >> 7U) & ((1U << static_cast<unsigned>(bits)) - 1)));
      s.transfer_syntax = syntax;
      write_slice(folder / "s", s);
      const std::vector<float> values = load_here(folder.path())->voxels;
      if (native.empty()) native = values;
      EXPECT_EQ(values, native) << syntax << ", " << bits << " bits";
    }
  }
}

TEST(DicomLoad, AnEightBitCodestreamMayStandForSixteenAllocatedBits) {
  const ScratchFolder folder;
  SyntheticSlice s{.rows = 9, .columns = 11, .bits_allocated = 8, .bits_stored = 8, .slope = 1, .intercept = 0};
  for (int i = 0; i < 99; ++i) s.pixels.push_back(static_cast<std::uint16_t>(i * 37 % 256));
  s.transfer_syntax = "1.2.840.10008.1.2.4.70";
  s.set_after_compression = {{0x00280100, "16"}};
  write_slice(folder / "s", s);
  const auto v = load_here(folder.path());
  for (std::size_t i = 0; i < 99; ++i) EXPECT_EQ(v->voxels[i], s.pixels[i]);
}

TEST(DicomLoad, ACodestreamOfAnotherSizeIsRefused) {
  const ScratchFolder folder;
  SyntheticSlice s{.rows = 9, .columns = 11};
  s.transfer_syntax = "1.2.840.10008.1.2.4.70";
  s.set_after_compression = {{0x00280011, "12"}};
  write_slice(folder / "s", s);
  EXPECT_THAT(refusal(folder.path()),
              HasSubstr("the codestream is 11 x 9 x 1, Columns x Rows x SamplesPerPixel is 12 x 9 x 1"));
}

TEST(DicomLoad, AnEnhancedMultiFrameObjectIsOneVolume) {
  const auto v = load_here(data / "modalities" / "emr_xa10_siemens.dcm", {.stack = 1});
  EXPECT_EQ(v->plan.grid.nx, 64);
  EXPECT_EQ(v->plan.grid.nz, static_cast<int>(v->plan.planes.size()));
}

TEST(DicomLoad, SeveralSeriesAreRefusedUntilOneIsNamed) {
  const ScratchFolder folder;
  SyntheticSlice other;
  other.series_uid = "1.2.3.5";
  other.series_number = "7";
  write_series(folder / "a", 3);
  write_series(folder / "b", 2, 0, 1, other);
  EXPECT_THAT(refusal(folder.path()), HasSubstr("2 series could be loaded (5: CT, 3 images; 7: CT, 2 images). Fix: "
                                                "choose one with the parameter series"));
  EXPECT_EQ(load_here(folder.path(), {.series = "7"})->plan.grid.nz, 2);
  EXPECT_EQ(load_here(folder.path(), {.series = "1.2.3.4"})->plan.grid.nz, 3);
  EXPECT_THAT(refusal(folder.path(), {.series = "8"}), HasSubstr("choose one of 5, 7"));
}

TEST(DicomLoad, SeveralStacksAreRefusedUntilOneIsNamed) {
  const fs::path two = data / "series_problems" / "mr_4d_two_timepoints";
  EXPECT_THAT(refusal(two), HasSubstr("series 4, stack 1: the series holds 2 stacks"));
  EXPECT_NE(load_here(two, {.stack = 1})->voxels, load_here(two, {.stack = 2})->voxels);
  EXPECT_THAT(refusal(two, {.stack = 3}), HasSubstr("stack = 3 is outside [1, 2]"));
}

TEST(DicomLoad, AFolderWithoutImagesIsRefused) {
  const ScratchFolder folder;
  EXPECT_THAT(refusal(folder.path()), HasSubstr("holds no DICOM file (0 files were looked at). Fix: "));
  fs::copy_file(data / "modalities" / "rtplan.dcm", folder / "plan.dcm");
  EXPECT_THAT(refusal(folder.path()), HasSubstr("holds no image"));
}

TEST(DicomLoad, AFileThatCannotBeReadIsTheReasonWhenItIsTheOnlyOne) {
  EXPECT_THAT(refusal(data / "malformed" / "MR_truncated.dcm"),
              HasSubstr("'MR_truncated.dcm': the file ends after 8130 of 8192 bytes of PixelData (7fe0,0010)"));
  EXPECT_THAT(refusal(data / "modalities" / "seg_liver_1bit_deflate.dcm"),
              HasSubstr("a segmentation cannot become a volume. Fix: use dicom_seg_source for its labels"));
}

TEST(DicomLoad, ATruncatedSliceIsRefusedAndSkippedOnRequest) {
  const ScratchFolder folder;
  write_series(folder.path(), 5);
  cut_file(folder / "s004.dcm", -2);
  EXPECT_THAT(refusal(folder.path()), HasSubstr("bad_files = skip"));
  EXPECT_EQ(load_here(folder.path(), {.skip_bad_files = true})->plan.grid.nz, 4);
}

TEST(DicomLoad, ATruncatedSliceInTheMiddleIsAMissingSliceToo) {
  const ScratchFolder folder;
  write_series(folder.path(), 5);
  cut_file(folder / "s002.dcm", -2);
  EXPECT_THAT(refusal(folder.path(), {.skip_bad_files = true}), HasSubstr("1 slice is missing at -5 mm"));
  EXPECT_EQ(load_here(folder.path(), {.skip_bad_files = true, .resample_uneven = true})->plan.grid.nz, 5);
}

TEST(DicomLoad, DuplicatesAreRefusedOrTheFirstIsKept) {
  const ScratchFolder folder;
  write_series(folder.path(), 4);  // numbers 4 ... 1
  SyntheticSlice again{.position = {0, 0, -7.5}, .instance_number = 77};
  write_slice(folder / "again.dcm", again);
  EXPECT_THAT(refusal(folder.path()), HasSubstr("duplicates = keep_first"));
  const auto v = load_here(folder.path(), {.keep_first_duplicate = true});
  EXPECT_EQ(v->at(2, 3, 1), static_cast<float>(stored_value({.instance_number = 3}, 2, 3) - 1024));
}

TEST(DicomLoad, MissingSlicesAreInterpolatedOnRequest) {
  const ScratchFolder folder;
  write_series(folder.path(), 5, 0, 2);
  fs::remove(folder / "s002.dcm");
  EXPECT_THAT(refusal(folder.path()),
              HasSubstr("1 slice is missing at 4 mm along the normal by ImagePositionPatient (0020,0032) (step 2 mm)"));
  const auto v = load_here(folder.path(), {.resample_uneven = true}, four_threads());
  ASSERT_EQ(v->plan.grid.nz, 5);
  for (int x = 0; x < 7; ++x) {
    EXPECT_NEAR(v->at(x, 1, 2), 0.5F * (v->at(x, 1, 1) + v->at(x, 1, 3)), 1e-3F);
    EXPECT_EQ(v->at(x, 1, 3), static_cast<float>(stored_value({.instance_number = 2}, x, 1) - 1024));
  }
  EXPECT_THAT(v->plan.remedies.at(0), HasSubstr("missing"));
}

TEST(DicomLoad, UnevenStepsAreResampledToTheTrueSlope) {
  // A ramp along z, sampled unevenly, is the same ramp on the even grid.
  const ScratchFolder folder;
  const double z[] = {0, 2, 4, 6.7, 8.7, 10.7};
  for (int i = 0; i < 6; ++i) {
    SyntheticSlice s{.position = {0, 0, z[i]}, .instance_number = i + 1, .slope = 0.1, .intercept = 0};
    s.pixels.assign(42, static_cast<std::uint16_t>(std::lround(z[i] * 100)));
    write_slice(folder / ("u" + std::to_string(i)), s);
  }
  EXPECT_THAT(refusal(folder.path()), HasSubstr("uneven_spacing = resample"));
  const auto v = load_here(folder.path(), {.resample_uneven = true});
  ASSERT_EQ(v->plan.grid.nz, 6);
  EXPECT_NEAR(v->plan.grid.dz_mm, 2, 1e-9);
  for (int k = 0; k < 6; ++k) EXPECT_NEAR(v->at(3, 3, k), 10 * 2.0 * k, 1e-3) << k;
}

TEST(DicomLoad, ATiltedStackIsShearedToWhereItsVoxelsLie) {
  // The value of each voxel is a linear function of its place in the patient: after the shear it still is.
  const ScratchFolder folder;
  const double tilt = 0.3, c = std::cos(tilt), s = std::sin(tilt);
  const auto value = [](double x, double y, double z) { return 1000 + 20 * x + 30 * y + 10 * z; };
  for (int k = 0; k < 6; ++k) {
    SyntheticSlice slice{.position = {1, 2, 3.0 * k}, .orientation = {1, 0, 0, 0, c, -s}, .rows = 12, .columns = 9};
    slice.instance_number = k + 1;
    slice.slope = 0.1;
    slice.intercept = 0;
    slice.bits_stored = 16;
    for (int j = 0; j < 12; ++j)
      for (int i = 0; i < 9; ++i)
        slice.pixels.push_back(
            static_cast<std::uint16_t>(std::lround(10 * value(1 + 0.5 * i, 2 + 0.5 * j * c, 3.0 * k - 0.5 * j * s))));
    write_slice(folder / ("t" + std::to_string(k)), slice);
  }
  EXPECT_THAT(refusal(folder.path()), HasSubstr("sheared by 17.189 degrees"));
  const auto v = load_here(folder.path(), {.shear_tilt = true});
  const StackGeometry& g = v->plan.grid;
  EXPECT_EQ(g.nx, 9);
  EXPECT_GT(g.ny, 12);
  EXPECT_EQ(g.nz, 6);
  EXPECT_NEAR(g.dz_mm, 3 * c, 1e-6);
  int covered = 0;
  for (int k = 0; k < g.nz; ++k)
    for (int j = 0; j < g.ny; ++j)
      for (int i = 0; i < g.nx; ++i) {
        const float hu = v->at(i, j, k);
        if (hu == -1000) continue;  // beyond the slice's edge
        const Vec3 p = g.origin + g.row * (g.dx_mm * i) + g.column * (g.dy_mm * j) + g.normal * (g.dz_mm * k);
        EXPECT_NEAR(hu, value(p.x, p.y, p.z), 0.11) << i << ' ' << j << ' ' << k;
        ++covered;
      }
  EXPECT_GE(covered, 9 * 11 * 6);
}

TEST(DicomLoad, MissingRescaleIsRefusedOrTakenAsIdentity) {
  const ScratchFolder folder;
  SyntheticSlice s;
  s.remove = {0x00281052, 0x00281053};
  write_series(folder.path(), 2, 0, 2, s);
  EXPECT_THAT(refusal(folder.path()), HasSubstr("no RescaleSlope (0028,1053) and RescaleIntercept (0028,1052)"));
  const auto v = load_here(folder.path(), {.identity_rescale = true});
  EXPECT_EQ(v->plan.unit, "a.u.");
  EXPECT_EQ(v->at(1, 1, 0), static_cast<float>(stored_value({.instance_number = 2}, 1, 1)));
}

TEST(DicomLoad, ABrokenCodestreamNamesItsFile) {
  const ScratchFolder folder;
  SyntheticSlice s{.rows = 64, .columns = 64};
  s.transfer_syntax = "1.2.840.10008.1.2.5";
  write_series(folder.path(), 3, 0, 2, s);
  overwrite(folder / "s001.dcm", std::string("\2\0\0\0\x40\0\0\0", 8), std::string("\x7F\0\0\0\x40\0\0\0", 8));
  EXPECT_THAT(refusal(folder.path()), HasSubstr("the pixels of 's001.dcm' cannot be read"));
}

TEST(DicomLoad, AJpeg2000FileThatBreaksOffIsNoGreyPicture) {
  const fs::path file = data / "malformed" / "JPEG2000-embedded-sequence-delimiter.dcm";
  EXPECT_THROW(all_frames(file), Failure);
}

TEST(DicomLoad, CancellingStopsTheLoad) {
  const ScratchFolder folder;
  write_series(folder.path(), 20);
  const Report report = inspect(folder.string(), Workers());
  const LoadPlan plan = plan_load(report, {});
  std::vector<float> voxels(7 * 6 * 20);
  std::int64_t last = 0;
  const auto stop = [&](std::int64_t done, std::int64_t) {
    last = done;
    return done < 3;
  };
  EXPECT_THROW(load(plan, Workers(), voxels, stop), isocenter::Error);
  EXPECT_EQ(last, 3);
}

}  // namespace
