// What a scan says about a folder: each kind of bad input is a finding, and costs no other file.
#include "dicom/inspect.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <isocenter/error.hpp>

#include "dicom/synthetic_series.hpp"

namespace {

using namespace isocenter::detail::dicom;
using namespace isocenter::testing;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

const fs::path data = ISOCENTER_TEST_DATA;

Report inspect_here(const fs::path& path) { return inspect(path.string(), Workers()); }

std::vector<Finding> found(const Report& report, FindingCode code) {
  std::vector<Finding> all;
  for (const Finding& f : report.findings)
    if (f.code == code) all.push_back(f);
  return all;
}

/// The one finding of a code.
Finding the(const Report& report, FindingCode code) {
  const auto all = found(report, code);
  EXPECT_EQ(all.size(), 1U) << name(code) << "\n" << to_lines(report);
  return all.empty() ? Finding{} : all.front();
}

TEST(DicomInspect, OrdersSlicesByPositionAndNotByNumber) {
  const ScratchFolder folder;
  write_series(folder.path(), 5);
  const Report report = inspect_here(folder.path());
  ASSERT_EQ(report.series.size(), 1U);
  ASSERT_EQ(report.series[0].stacks.size(), 1U);
  const Stack& stack = report.series[0].stacks[0];
  ASSERT_EQ(stack.slices.size(), 5U);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_DOUBLE_EQ(stack.slices[i].offset_mm, -10 + 2.5 * static_cast<double>(i));
    EXPECT_EQ(report.images[static_cast<std::size_t>(stack.slices[i].image)].instance_number, 5 - static_cast<int>(i));
  }
  EXPECT_NEAR(stack.geometry.dz_mm, 2.5, 1e-9);
  EXPECT_EQ(stack.geometry.nz, 5);
  EXPECT_TRUE(report.findings.empty()) << to_lines(report);
}

TEST(DicomInspect, AFolderWithoutDicomIsAnErrorThatCountsItsFiles) {
  const ScratchFolder folder;
  std::ofstream(folder / "notes.txt") << "these are no images, only words";
  const Report report = inspect_here(folder.path());
  const Finding f = the(report, FindingCode::no_dicom);
  EXPECT_EQ(f.severity, Severity::error);
  EXPECT_THAT(f.what, HasSubstr("1 file was"));
  EXPECT_EQ(the(report, FindingCode::not_dicom).severity, Severity::note);
}

TEST(DicomInspect, AnEmptyFileNamedDicomIsAWarning) {
  const ScratchFolder folder;
  write_series(folder.path(), 2);
  std::ofstream(folder / "s009.dcm").close();
  const Report report = inspect_here(folder.path());
  const Finding f = the(report, FindingCode::not_dicom);
  EXPECT_EQ(f.severity, Severity::warning);
  EXPECT_EQ(f.file, "s009.dcm");
  EXPECT_THAT(f.what, HasSubstr("empty"));
  EXPECT_EQ(report.series.at(0).stacks.at(0).slices.size(), 2U);
}

TEST(DicomInspect, APathThatDoesNotExistIsRefused) {
  EXPECT_THROW(inspect_here("/nowhere/at/all"), isocenter::Failure);
}

TEST(DicomInspect, ATruncatedFileIsNamedAndTheOthersAreKept) {
  const ScratchFolder folder;
  write_series(folder.path(), 4);
  cut_file(folder / "s002.dcm", -20);
  const Report report = inspect_here(folder.path());
  const Finding f = the(report, FindingCode::truncated);
  EXPECT_EQ(f.file, "s002.dcm");
  EXPECT_THAT(f.what, HasSubstr("64 of 84 bytes"));
  EXPECT_EQ(f.attribute, "PixelData (7fe0,0010)");
  EXPECT_EQ(report.series.at(0).stacks.at(0).slices.size(), 3U);
  EXPECT_THAT(the(report, FindingCode::incomplete_series).what, HasSubstr("s002.dcm"));
}

TEST(DicomInspect, AFileCutAtAnyByteIsAFindingAndNeverACrash) {
  const ScratchFolder folder;
  write_slice(folder / "whole.dcm", {});
  const auto size = static_cast<std::int64_t>(fs::file_size(folder / "whole.dcm"));
  for (std::int64_t bytes = 0; bytes < size; bytes += 7) {
    fs::copy_file(folder / "whole.dcm", folder / "cut.dcm", fs::copy_options::overwrite_existing);
    cut_file(folder / "cut.dcm", bytes);
    const Report report = inspect_here(folder / "cut.dcm");
    EXPECT_FALSE(report.findings.empty()) << bytes << " bytes";
    EXPECT_TRUE(report.images.empty() || !report.images[0].unusable.empty()) << bytes << " bytes";
  }
}

TEST(DicomInspect, AnUnsupportedSyntaxIsNamedWithItsUid) {
  const ScratchFolder folder;
  SyntheticSlice slice;
  write_slice(folder / "s.dcm", slice);
  std::ifstream in(folder / "s.dcm", std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(in)), {});
  const std::string meta = std::string("UI") + '\x14' + '\0';
  const std::size_t at = bytes.find(meta + "1.2.840.10008.1.2.1");
  ASSERT_NE(at, std::string::npos);
  bytes.replace(at, 24, std::string("UI") + '\x18' + '\0' + "1.2.840.10008.1.2.4.110" + '\0' + "");
  std::ofstream(folder / "s.dcm", std::ios::binary) << bytes;
  const Report report = inspect_here(folder.path());
  const Finding f = the(report, FindingCode::unsupported_syntax);
  EXPECT_EQ(f.value, "1.2.840.10008.1.2.4.110");
  EXPECT_THAT(f.what, HasSubstr("JPEG XL Lossless"));
  EXPECT_THAT(f.what, HasSubstr("TransferSyntaxUID (0002,0010)"));
}

TEST(DicomInspect, ASegmentationBesideItsSeriesIsNoSecondSeries) {
  const ScratchFolder folder;
  write_series(folder.path(), 3);
  SyntheticSlice seg;
  seg.series_uid = "1.2.3.77";
  seg.set = {{0x00080016, "1.2.840.10008.5.1.4.1.1.66.4"}, {0x00080060, "SEG"}};
  write_slice(folder / "seg.dcm", seg);
  const Report report = inspect_here(folder.path());
  EXPECT_THAT(the(report, FindingCode::unsupported_pixels).what, HasSubstr("a segmentation cannot become a volume"));
  EXPECT_TRUE(found(report, FindingCode::several_series).empty());
}

TEST(DicomInspect, MissingSlicesAreNamedByPosition) {
  const ScratchFolder folder;
  write_series(folder.path(), 6);
  fs::remove(folder / "s002.dcm");
  fs::remove(folder / "s003.dcm");
  const Report report = inspect_here(folder.path());
  const Finding f = the(report, FindingCode::missing_slices);
  EXPECT_THAT(f.what, HasSubstr("2 slices are missing at -5, -2.5 mm"));
  EXPECT_EQ(f.severity, Severity::error);
  EXPECT_EQ(report.series[0].stacks[0].geometry.nz, 6);
}

TEST(DicomInspect, MissingSlicesOfARealSeriesAreNamed) {
  const Report report = inspect_here(data / "series_problems" / "ct_localizer_and_uneven_steps");
  EXPECT_THAT(the(report, FindingCode::missing_slices).what, HasSubstr("756.21, 758.21, 759.21"));
  EXPECT_EQ(found(report, FindingCode::localiser_set_aside).size(), 1U);
}

TEST(DicomInspect, UnevenStepsAreNamedWithTheirPlace) {
  const ScratchFolder folder;
  const double z[] = {0, 2, 4, 6.7, 8.7, 10.7};
  for (int i = 0; i < 6; ++i) {
    SyntheticSlice s;
    s.position[2] = z[i];
    s.instance_number = i + 1;
    write_slice(folder / ("u" + std::to_string(i)), s);
  }
  const Finding f = the(inspect_here(folder.path()), FindingCode::uneven_spacing);
  EXPECT_THAT(f.what, HasSubstr("the step is 2 mm, but 2.7 mm after 4 mm"));
}

TEST(DicomInspect, PositionsRoundedToHundredthsAreEven) {
  const ScratchFolder folder;
  for (int i = 0; i < 8; ++i) {
    SyntheticSlice s;
    s.position[2] = std::round(i * 0.625 * 100) / 100;
    s.instance_number = i + 1;
    write_slice(folder / ("r" + std::to_string(i)), s);
  }
  EXPECT_TRUE(inspect_here(folder.path()).findings.empty());
}

TEST(DicomInspect, DuplicatePositionsAreNamed) {
  const ScratchFolder folder;
  write_series(folder.path(), 4);
  SyntheticSlice again;
  again.position[2] = -7.5;
  again.instance_number = 77;
  write_slice(folder / "again.dcm", again);
  const Finding f = the(inspect_here(folder.path()), FindingCode::duplicate_slices);
  EXPECT_THAT(f.what, HasSubstr("-7.5 mm"));
  EXPECT_THAT(f.what, HasSubstr("5 images, 4 positions"));
}

TEST(DicomInspect, AByteForByteCopyIsPassedOver) {
  const ScratchFolder folder;
  write_series(folder.path(), 3);
  fs::create_directory(folder / "copy");
  fs::copy_file(folder / "s001.dcm", folder / "copy" / "again.dcm");
  const Report report = inspect_here(folder.path());
  const Finding f = the(report, FindingCode::duplicate_file);
  EXPECT_THAT(f.what, HasSubstr("is a copy of"));
  EXPECT_EQ(report.series.at(0).stacks.at(0).slices.size(), 3U);
  EXPECT_TRUE(found(report, FindingCode::duplicate_slices).empty());
}

TEST(DicomInspect, GantryTiltIsGivenInDegrees) {
  const Finding f = the(inspect_here(data / "series_problems" / "ct_gantry_tilt"), FindingCode::gantry_tilt);
  EXPECT_NEAR(std::stod(f.value), 18.5, 0.01);
  EXPECT_THAT(f.what, HasSubstr("GantryDetectorTilt (0018,1120) = -18.5"));
}

TEST(DicomInspect, ObliqueStacksAreStraight) {
  const Report report = inspect_here(data / "series_problems" / "mr_hitachi_oblique");
  EXPECT_TRUE(report.findings.empty()) << to_lines(report);
  EXPECT_NEAR(report.series.at(0).stacks.at(0).geometry.dz_mm, 4.0, 1e-4);
}

TEST(DicomInspect, SlicesThatWanderSidewaysAreRefused) {
  const ScratchFolder folder;
  const double x[] = {0, 0.3, -0.4, 0.2, 0};
  for (int i = 0; i < 5; ++i) {
    SyntheticSlice s;
    s.position = {x[i], 0, 2.0 * i};
    s.instance_number = i + 1;
    write_slice(folder / ("w" + std::to_string(i)), s);
  }
  EXPECT_EQ(the(inspect_here(folder.path()), FindingCode::shifted_slices).severity, Severity::error);
}

TEST(DicomInspect, MixedOrientationsBecomeStacks) {
  const ScratchFolder folder;
  write_series(folder.path(), 3);
  SyntheticSlice coronal;
  coronal.orientation = {1, 0, 0, 0, 0, -1};
  for (int i = 0; i < 2; ++i) {
    coronal.position = {0, 4.0 * i, 0};
    coronal.instance_number = 10 + i;
    write_slice(folder / ("c" + std::to_string(i)), coronal);
  }
  const Report report = inspect_here(folder.path());
  EXPECT_THAT(the(report, FindingCode::mixed_orientations).what, HasSubstr("2 orientations"));
  EXPECT_EQ(the(report, FindingCode::several_stacks).severity, Severity::error);
  ASSERT_EQ(report.series.at(0).stacks.size(), 2U);
}

TEST(DicomInspect, ALocaliserIsSetAside) {
  const ScratchFolder folder;
  write_series(folder.path(), 3);
  SyntheticSlice scout;
  scout.orientation = {0, 1, 0, 0, 0, -1};
  scout.set = {{0x00080008, "ORIGINAL\\PRIMARY\\LOCALIZER"}};
  write_slice(folder / "scout.dcm", scout);
  const Report report = inspect_here(folder.path());
  EXPECT_EQ(the(report, FindingCode::localiser_set_aside).severity, Severity::note);
  EXPECT_TRUE(found(report, FindingCode::several_stacks).empty());
  EXPECT_EQ(volume_count(report.series.at(0)), 1);
}

TEST(DicomInspect, TwoKernelsAtTheSamePositionsAreToldApart) {
  const ScratchFolder folder;
  SyntheticSlice soft, sharp;
  soft.set = {{0x00181210, "B30f"}};
  sharp.set = {{0x00181210, "B70f"}};
  write_series(folder / "a", 3, 0, 2, soft);
  write_series(folder / "b", 3, 0, 2, sharp);
  const Report report = inspect_here(folder.path());
  ASSERT_EQ(report.series.at(0).stacks.size(), 2U);
  EXPECT_EQ(report.series[0].stacks[0].told_apart_by, "ConvolutionKernel (0018,1210) = B30f");
  EXPECT_EQ(report.series[0].stacks[1].told_apart_by, "ConvolutionKernel (0018,1210) = B70f");
}

TEST(DicomInspect, KernelsAtDifferentPositionsStayOneStack) {
  const ScratchFolder folder;
  SyntheticSlice soft, sharp;
  soft.set = {{0x00181210, "B30f"}};
  sharp.set = {{0x00181210, "B70f"}};
  write_series(folder / "a", 3, 0, 2, soft);
  write_series(folder / "b", 3, 6, 2, sharp);
  EXPECT_EQ(inspect_here(folder.path()).series.at(0).stacks.size(), 1U);
}

TEST(DicomInspect, RepetitionsAreToldApartByNumber) {
  const Report report = inspect_here(data / "series_problems" / "mr_4d_two_timepoints");
  ASSERT_EQ(report.series.at(0).stacks.size(), 2U);
  EXPECT_THAT(report.series[0].stacks[1].told_apart_by, HasSubstr("repetition 2 of 2"));
  for (const Stack& s : report.series[0].stacks) {
    ASSERT_EQ(s.slices.size(), 4U);
    EXPECT_NEAR(s.geometry.dz_mm, 5, 1e-4);
    for (const Slice& slice : s.slices)
      EXPECT_EQ(report.images[static_cast<std::size_t>(slice.image)].instance_number < 20,
                &s == &report.series[0].stacks[0]);
  }
}

TEST(DicomInspect, MissingRescaleIsAnErrorForCtAndNotForMr) {
  const ScratchFolder folder;
  SyntheticSlice ct, mr;
  ct.remove = {0x00281052, 0x00281053};
  mr.modality = "MR";
  mr.series_uid = "1.2.3.5";
  write_series(folder / "ct", 2, 0, 2, ct);
  write_series(folder / "mr", 2, 0, 2, mr);
  const Finding f = the(inspect_here(folder.path()), FindingCode::missing_rescale);
  EXPECT_EQ(f.series_uid, "1.2.3.4");
  EXPECT_THAT(f.what, HasSubstr("2 of 2 CT images"));
}

TEST(DicomInspect, NonSquarePixelsAreNoted) {
  const ScratchFolder folder;
  SyntheticSlice s;
  s.row_spacing = 0.8;
  write_series(folder.path(), 2, 0, 2, s);
  const Report report = inspect_here(folder.path());
  EXPECT_EQ(the(report, FindingCode::non_square_pixel).value, "0.8\\0.5");
  EXPECT_DOUBLE_EQ(report.series[0].stacks[0].geometry.dy_mm, 0.8);
  EXPECT_DOUBLE_EQ(report.series[0].stacks[0].geometry.dx_mm, 0.5);
}

TEST(DicomInspect, SeveralSeriesAreListed) {
  const ScratchFolder folder;
  SyntheticSlice other;
  other.series_uid = "1.2.3.5";
  other.series_number = "7";
  write_series(folder / "a", 3);
  write_series(folder / "b", 2, 0, 1, other);
  const Finding f = the(inspect_here(folder.path()), FindingCode::several_series);
  EXPECT_THAT(f.what, HasSubstr("5: CT, 3 images; 7: CT, 2 images"));
}

TEST(DicomInspect, EachSliceWithItsOwnFrameOfReferenceIsAWarning) {
  const Report report = inspect_here(fs::path(ISOCENTER_SOURCE_DIR) / "phantoms" / "ct_chest_lidc-idri-0314");
  EXPECT_EQ(the(report, FindingCode::mixed_frames_of_reference).severity, Severity::warning);
  ASSERT_EQ(report.series.size(), 1U);
  const StackGeometry& g = report.series[0].stacks.at(0).geometry;
  EXPECT_EQ(g.nz, 60);
  EXPECT_NEAR(g.dz_mm, 4.0, 1e-4);
  EXPECT_NEAR(g.origin.z, -651.800049, 1e-6);
}

TEST(DicomInspect, TwoFramesOfReferenceAreTwoStacks) {
  const ScratchFolder folder;
  SyntheticSlice a, b;
  b.set = {{0x00200052, "1.2.3.8"}};
  write_series(folder / "a", 3, 0, 2, a);
  write_series(folder / "b", 3, 6, 2, b);
  EXPECT_EQ(inspect_here(folder.path()).series.at(0).stacks.size(), 2U);
}

TEST(DicomInspect, BadValuesNameTheAttributeAndTheValue) {
  struct Case {
    std::uint32_t tag;
    const char* value;
    const char* says;
  };
  const Case cases[] = {
      {0x00200032, "1\\2", "ImagePositionPatient (0020,0032) = '1\\2' is not three numbers"},
      {0x00200037, "1\\0\\0\\0\\2\\0", "is not two directions of length 1"},
      {0x00280030, "0\\0.5", "PixelSpacing (0028,0030) = '0\\0.5' is not two positive distances"},
      {0x00281053, "0", "RescaleSlope (0028,1053) = '0' is not a number other than 0"},
      {0x00281053, "1,5", "RescaleSlope (0028,1053) = '1,5' is not a number other than 0"},
      {0x00280101, "17", "BitsStored (0028,0101) = 17 is outside [1, 16]"},
      {0x00280010, "0", "Rows (0028,0010) = 0 is outside [1, 65535]"},
      {0x00280008, "-3", "NumberOfFrames (0028,0008) = -3 is outside"},
  };
  for (const Case& c : cases) {
    const ScratchFolder folder;
    SyntheticSlice s;
    s.set = {{c.tag, c.value}};
    write_slice(folder / "bad.dcm", s);
    const Finding f = the(inspect_here(folder.path()), FindingCode::bad_value);
    EXPECT_THAT(f.what, HasSubstr(c.says));
    EXPECT_EQ(f.file, "bad.dcm");
  }
}

TEST(DicomInspect, PixelsShorterThanTheHeaderClaimsAreRefusedBeforeAnyMemoryIsTaken) {
  const ScratchFolder folder;
  SyntheticSlice s;
  s.set = {{0x00280010, "65535"}, {0x00280011, "65535"}};
  write_slice(folder / "huge.dcm", s);
  EXPECT_THAT(the(inspect_here(folder.path()), FindingCode::bad_value).what,
              HasSubstr("holds 84 bytes of pixels where"));
}

/// A file that opens `depth` sequences in each other and closes none.
void write_nested(const fs::path& path, int depth) {
  std::string bytes(128, '\0');
  const std::string syntax(
      "\2\0\x10\0UI\x14\0"
      "1.2.840.10008.1.2.1\0",
      28);
  bytes += "DICM" + std::string("\2\0\0\0UL\4\0\x1C\0\0\0", 12) + syntax;
  for (int i = 0; i < depth; ++i)
    bytes += std::string("\x08\0\x15\x11SQ\0\0\xFF\xFF\xFF\xFF\xFE\xFF\0\xE0\xFF\xFF\xFF\xFF", 20);
  std::ofstream(path, std::ios::binary) << bytes;
}

TEST(DicomInspect, SequencesNestedWithoutEndAreRefusedBeforeTheParserFollowsThem) {
  const ScratchFolder folder;
  write_nested(folder / "deep.dcm", 200000);
  const Finding f = the(inspect_here(folder / "deep.dcm"), FindingCode::unreadable);
  EXPECT_THAT(f.what, HasSubstr("nested deeper than 64 levels"));
  write_nested(folder / "deep.dcm", 60);
  EXPECT_EQ(found(inspect_here(folder / "deep.dcm"), FindingCode::unreadable).size(), 0U);
}

TEST(DicomInspect, ADeflatedFileThatGrowsWithoutMeasureIsRefused) {
  // 100 MB of zeros in a header value, and pixels far beyond what Rows and Columns need: both deflate to almost
  // nothing.
  const ScratchFolder folder;
  SyntheticSlice s;
  s.transfer_syntax = "1.2.840.10008.1.2.1.99";
  s.set = {{0x00104000, std::string(100 << 20, 'x')}};
  write_slice(folder / "bomb.dcm", s);
  EXPECT_LT(fs::file_size(folder / "bomb.dcm"), 1U << 20U);
  EXPECT_THAT(the(inspect_here(folder / "bomb.dcm"), FindingCode::unreadable).what, HasSubstr("deflated header"));
  SyntheticSlice pixels{.rows = 1000, .columns = 1000};
  pixels.transfer_syntax = s.transfer_syntax;
  pixels.set = {{0x00280010, "10"}, {0x00280011, "10"}};
  write_slice(folder / "pixels.dcm", pixels);
  EXPECT_THAT(the(inspect_here(folder / "pixels.dcm"), FindingCode::bad_value).what,
              HasSubstr("has 2000000 bytes where"));
}

TEST(DicomInspect, MalformedFilesOfOthersAreFindings) {
  const Report report = inspect_here(data / "malformed");
  EXPECT_EQ(report.files, static_cast<std::int64_t>(std::distance(fs::directory_iterator(data / "malformed"), {})));
  for (const char* file : {"MR_truncated.dcm", "emri_small_jpeg_2k_lossless_too_short.dcm", "badVR.dcm"}) {
    const bool named = std::any_of(report.findings.begin(), report.findings.end(),
                                   [&](const Finding& f) { return f.file == file && f.severity == Severity::error; });
    EXPECT_TRUE(named) << file;
  }
}

TEST(DicomInspect, ManyOtherFilesAreCountedInTheLinesAndListedInTheJson) {
  const ScratchFolder folder;
  write_series(folder.path(), 2);
  for (int i = 0; i < 30; ++i) std::ofstream(folder / ("note" + std::to_string(i) + ".txt")) << "words, not pixels";
  const Report report = inspect_here(folder.path());
  EXPECT_THAT(to_lines(report), HasSubstr("note not_dicom: 25 more."));
  EXPECT_THAT(to_json(report), HasSubstr("note29.txt"));
}

TEST(DicomInspect, JsonAndLinesNameEveryFinding) {
  const ScratchFolder folder;
  SyntheticSlice s;
  s.set = {{0x0008103E, "a \"quoted\" description"}};
  write_series(folder.path(), 3, 0, 2, s);
  fs::remove(folder / "s001.dcm");
  write_slice(folder / "u.dcm", {.position = {0, 0, 4.9}});
  const Report report = inspect_here(folder.path());
  const std::string json = to_json(report), lines = to_lines(report);
  for (const Finding& f : report.findings) {
    EXPECT_THAT(json, HasSubstr(name(f.code)));
    EXPECT_THAT(lines, HasSubstr(f.what));
  }
  EXPECT_THAT(json, HasSubstr("a \\\"quoted\\\" description"));
}

}  // namespace
