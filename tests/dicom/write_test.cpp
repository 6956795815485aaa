// What is written: whole, valid, and where it was. Interoperation with pydicom and highdicom is in tests/interop.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <isocenter/error.hpp>
#include <set>

#include "dicom/object_builder.hpp"
#include "dicom/output_file.hpp"
#include "dicom/segment_codes.hpp"
#include "dicom/synthetic_series.hpp"
#include "dicom/uid.hpp"
#include "dicom/validate.hpp"
#include "dicom/write_segmentation.hpp"
#include "dicom/write_series.hpp"
#include "dicom/written_objects.hpp"

namespace {

using namespace isocenter::testing;
using isocenter::Failure;
using isocenter::Geometry;
using ::testing::HasSubstr;

SegmentationToWrite segmentation_of(const Source& source, const std::vector<std::uint8_t>& labels) {
  SegmentationToWrite s;
  s.labels = labels;
  s.nx = source.volume.nx;
  s.ny = source.volume.ny;
  s.nz = source.volume.nz;
  s.geometry = source.volume.geometry;
  s.algorithm_name = "Test";
  for (const char* label : {"lung", "heart"}) {
    Segment segment;
    segment.label = static_cast<int>(s.segments.size()) + 1;
    segment.name = label;
    EXPECT_TRUE(find_segment_codes(label, segment));
    segment.colour = {0.9, 0.2, 0.1};
    s.segments.push_back(segment);
  }
  return s;
}

TEST(DicomWrite, ADerivedCtSeriesIsValidAndComesBackAsItWas) {
  const ScratchFolder folder;
  write_oblique(folder / "in");
  const Source source(folder / "in");
  write_series((folder / "out").string(), source.volume, source.metadata, description(), Workers());
  int files = 0;
  for (const auto& entry : fs::directory_iterator(folder / "out")) {
    EXPECT_EQ(validation_errors(entry.path()), "") << entry.path();
    ++files;
  }
  EXPECT_EQ(files, 4);
  const Source again(folder / "out");
  EXPECT_EQ(again.voxels, source.voxels);
  EXPECT_TRUE(again.report.findings.size() == 1 && again.report.findings[0].code == FindingCode::non_square_pixel)
      << to_lines(again.report);
  for (int i = 0; i < 3; ++i) {
    EXPECT_NEAR(again.volume.geometry.origin_mm[i], source.volume.geometry.origin_mm[i], 1e-9);
    EXPECT_NEAR(again.volume.geometry.spacing_mm[i], source.volume.geometry.spacing_mm[i], 1e-9);
  }
  for (int i = 0; i < 9; ++i)
    EXPECT_NEAR(again.volume.geometry.direction[i], source.volume.geometry.direction[i], 1e-9);
}

TEST(DicomWrite, ADerivedSeriesKeepsPatientAndStudyAndNamesItsSource) {
  const ScratchFolder folder;
  write_oblique(folder / "in");
  const Source source(folder / "in");
  write_series((folder / "out").string(), source.volume, source.metadata, description(), Workers());
  const fs::path file = folder / "out" / "IM00002.dcm";
  EXPECT_EQ(value(file, DCM_PatientName), "Oblique^Patient");
  EXPECT_EQ(value(file, DCM_PatientSex), "F");
  EXPECT_EQ(value(file, DCM_StudyInstanceUID), "1.2.3");
  EXPECT_EQ(value(file, DCM_StudyDescription), "A study");
  EXPECT_EQ(value(file, DCM_FrameOfReferenceUID), "1.2.3.9");
  EXPECT_EQ(value(file, DCM_ImageType), "DERIVED\\SECONDARY\\AXIAL");
  EXPECT_THAT(value(file, DCM_SeriesInstanceUID), HasSubstr("2.25."));
  EXPECT_EQ(value(file, DCM_ReferencedSOPInstanceUID), source.metadata.slices[1].sop_instance_uid);
  EXPECT_EQ(value(file, DCM_DerivationDescription), "Smoothed");
  EXPECT_EQ(value(file, DCM_ContributionDescription), "[{\"operator\": \"test\"}]");
}

TEST(DicomWrite, PlanesBetweenSourceSlicesNameBothAndTiltedOnesAll) {
  SourceMetadata source;
  source.normal = {0, 0, 1};
  source.spacing_mm = 4;
  for (int k = 0; k < 5; ++k) source.slices.push_back({"1.2." + std::to_string(k), 0, {7, 8, 4.0 * k}});
  EXPECT_THAT(slices_near(source, {0, 0, 8}, {0, 0, 1}, 2), ::testing::ElementsAre(2));
  EXPECT_THAT(slices_near(source, {0, 0, 10}, {0, 0, 1}, 2), ::testing::ElementsAre(2, 3));
  EXPECT_THAT(slices_near(source, {0, 0, 10}, {0, 0, -1}, 2), ::testing::ElementsAre(2, 3));
  EXPECT_THAT(slices_near(source, {0, 0, 30}, {0, 0, 1}, 2), ::testing::IsEmpty());
  EXPECT_THAT(slices_near(source, {0, 0, 8}, {0, 1, 0}, 2), ::testing::SizeIs(5));
}

TEST(DicomWrite, EveryBodyPartGivesAValidLaterality) {
  for (const char* part : {"CHEST", "KNEE", ""}) {
    for (const char* laterality : {"", "L"}) {
      if (std::string(part) == "CHEST" && std::string(laterality) == "L") continue;  // wrong in the source already
      const ScratchFolder folder;
      SyntheticSlice s;
      s.set = {{0x00180015, part}, {0x00200060, laterality}};
      write_series(folder / "in", 1, 0, 2, s);
      const Source source(folder / "in");
      write_series((folder / "out").string(), source.volume, source.metadata, description(), Workers());
      EXPECT_EQ(validation_errors(folder / "out" / "IM00001.dcm"), "") << part << ' ' << laterality;
      EXPECT_EQ(value(folder / "out" / "IM00001.dcm", DCM_Laterality), laterality);
    }
  }
}

TEST(DicomWrite, AVolumeWithoutASourceIsValidToo) {
  const ScratchFolder folder;
  const std::vector<float> voxels(5 * 4 * 3, -1000.0F);
  const VolumeToWrite volume{voxels, 5, 4, 3, Geometry({1, 1, 2}, {0, 0, 0}), "HU"};
  write_series((folder / "out").string(), volume, {}, description(), Workers());
  EXPECT_EQ(validation_errors(folder / "out" / "IM00001.dcm"), "");
  EXPECT_EQ(Source(folder / "out").voxels, voxels);
}

TEST(DicomWrite, AnMrSeriesIsValidAndAsExactAsSixteenBitsAllow) {
  const ScratchFolder folder;
  SyntheticSlice s;
  s.modality = "MR";
  s.set = {{0x00180020, "SE"}, {0x00180021, "NONE"}, {0x00180081, "12"}};
  write_series(folder / "in", 3, 0, 2, s);
  Source source(folder / "in");
  for (float& v : source.voxels) v = v * 0.37F - 11.5F;
  write_series((folder / "out").string(), source.volume, source.metadata, description(), Workers());
  EXPECT_EQ(validation_errors(folder / "out" / "IM00001.dcm"), "");
  EXPECT_EQ(value(folder / "out" / "IM00001.dcm", DCM_EchoTime), "12");
  const Source again(folder / "out");
  const auto [low, high] = std::minmax_element(source.voxels.begin(), source.voxels.end());
  const double step = (*high - *low) / 65535.0;
  for (std::size_t i = 0; i < source.voxels.size(); ++i) EXPECT_NEAR(again.voxels[i], source.voxels[i], 0.51 * step);
}

TEST(DicomWrite, HounsfieldUnitsBeyondSixteenBitsGetACoarserSlope) {
  std::vector<float> voxels{-2000, 0, 90000};
  const VolumeToWrite v{voxels, 3, 1, 1, Geometry(), "HU"};
  const Quantisation q = choose_quantisation(v, DerivedModality::ct, Workers());
  EXPECT_NEAR(q.slope, 92000.0 / 65535, 1e-6);
  EXPECT_NEAR(q.intercept, -2000, 1e-9);
}

TEST(DicomWrite, ARescaleSlopeThatIsTooFineIsRefusedWithTheOneThatFits) {
  std::vector<float> voxels{0, 1000};
  VolumeToWrite v{voxels, 2, 1, 1, Geometry(), "HU"};
  v.rescale_slope = 0.01;
  try {
    choose_quantisation(v, DerivedModality::ct, Workers());
    FAIL();
  } catch (const Failure& f) {
    EXPECT_THAT(f.what(), HasSubstr("values from 0 to 1000 do not fit 16 bits with rescale_slope = 0.01"));
  }
  v.rescale_slope = 0.02;
  EXPECT_EQ(choose_quantisation(v, DerivedModality::ct, Workers()).slope, 0.02);
}

TEST(DicomWrite, AVoxelThatIsNoNumberIsNamed) {
  std::vector<float> voxels(24, 0.0F);
  voxels[12 + 4 + 2] = std::nanf("");
  const VolumeToWrite v{voxels, 4, 3, 2, Geometry(), "HU"};
  try {
    choose_quantisation(v, DerivedModality::ct, Workers());
    FAIL();
  } catch (const Failure& f) {
    EXPECT_THAT(f.what(), HasSubstr("voxel (2, 1, 1)"));
  }
}

TEST(DicomWrite, OtherModalitiesAndUnitsAreRefused) {
  SourceMetadata pet;
  pet.series_uid = "1.2";
  pet.modality = "PT";
  EXPECT_THROW(require_writable(pet, "HU"), Failure);
  EXPECT_NO_THROW(require_writable(pet, "BQML"));
  pet.modality = "US";
  EXPECT_THROW(require_writable(pet, "a.u."), Failure);
  EXPECT_THROW(require_writable({}, "1/mm"), Failure);
  EXPECT_NO_THROW(require_writable({}, "HU"));
}

TEST(DicomWrite, AFolderThatIsNotEmptyIsRefusedAndLeftAlone) {
  const ScratchFolder folder;
  write_series(folder / "in", 2);
  const Source source(folder / "in");
  try {
    write_series((folder / "in").string(), source.volume, source.metadata, description(), Workers());
    FAIL();
  } catch (const Failure& f) {
    EXPECT_THAT(f.what(), HasSubstr("is not empty. Fix: choose a new folder"));
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(folder / "in"), {}), 2);
}

TEST(DicomWrite, AStoppedSeriesLeavesNothingBehind) {
  const ScratchFolder folder;
  write_series(folder / "in", 5);
  const Source source(folder / "in");
  const auto stop = [](std::int64_t done, std::int64_t) { return done < 2; };
  EXPECT_THROW(write_series((folder / "out").string(), source.volume, source.metadata, description(), Workers(), stop),
               isocenter::Error);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);
}

TEST(DicomWrite, AFullDiskIsNamedAndLeavesNothingBehind) {
  const ScratchFolder folder;
  write_series(folder / "in", 3, 0, 2, {.rows = 200, .columns = 300});
  const Source source(folder / "in");
  std::string message;
  {
    const SmallDisk disk(64 << 10);
    try {
      write_series((folder / "out").string(), source.volume, source.metadata, description(), Workers());
    } catch (const Failure& f) {
      message = f.what();
    }
  }
  EXPECT_THAT(message, HasSubstr("cannot be written: File too large. Fix: free some space"));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);
}

TEST(DicomWrite, ASegmentationIsValid) {
  const ScratchFolder folder;
  write_oblique(folder / "in");
  const Source source(folder / "in");
  std::vector<std::uint8_t> labels(source.voxels.size(), 0);
  labels[3] = 1;
  labels[50] = 2;
  labels[labels.size() - 1] = 2;
  const fs::path file = folder / "seg.dcm";
  write_segmentation(file.string(), segmentation_of(source, labels), source.metadata, description());
  EXPECT_EQ(validation_errors(file), "");
  EXPECT_EQ(value(file, DCM_NumberOfFrames), "3");
  EXPECT_EQ(value(file, DCM_FrameOfReferenceUID), "1.2.3.9");
  // Three frames of 42 bits: label 1 in slice 0, label 2 in slices 1 and 3 (PS3.5 8.1.1: the first pixel lowest).
  DcmFileFormat format;
  ASSERT_TRUE(format.loadFile(OFFilename(file.c_str())).good());
  const Uint8* bytes = nullptr;
  unsigned long count = 0;
  ASSERT_TRUE(format.getDataset()->findAndGetUint8Array(DCM_PixelData, bytes, &count).good());
  ASSERT_EQ(count, 16U);
  std::vector<int> set;
  for (int bit = 0; bit < 128; ++bit)
    if ((bytes[bit / 8] >> (bit % 8) & 1) != 0) set.push_back(bit);
  EXPECT_THAT(set, ::testing::ElementsAre(3, 42 + 8, 2 * 42 + 41));
  EXPECT_EQ(value(file, DCM_PatientName), "Oblique^Patient");
}

TEST(DicomWrite, ASegmentationWithoutASourceIsValid) {
  const ScratchFolder folder;
  std::vector<std::uint8_t> labels(60, 1);
  SegmentationToWrite s;
  s.labels = labels;
  s.nx = 5;
  s.ny = 4;
  s.nz = 3;
  s.geometry = Geometry({1, 1, 2}, {0, 0, 0});
  s.algorithm_name = "Test";
  Segment bone;
  bone.name = "bone";
  find_segment_codes("bone", bone);
  s.segments = {bone};
  write_segmentation((folder / "seg.dcm").string(), s, {}, description());
  EXPECT_EQ(validation_errors(folder / "seg.dcm"), "");
}

TEST(DicomWrite, AnEmptySegmentationIsRefused) {
  const ScratchFolder folder;
  write_oblique(folder / "in");
  const Source source(folder / "in");
  const std::vector<std::uint8_t> labels(source.voxels.size(), 0);
  EXPECT_THROW(write_segmentation((folder / "seg.dcm").string(), segmentation_of(source, labels), source.metadata,
                                  description()),
               Failure);
  EXPECT_FALSE(fs::exists(folder / "seg.dcm"));
}

TEST(DicomWrite, ColoursBecomeTheLabValuesOfTheStandard) {
  // White and black are exact; sRGB red is L* 54.29, a* 80.81, b* 69.89 at D50 (colour.science and ICC profiles agree).
  EXPECT_THAT(encoded_cielab({1, 1, 1}),
              ::testing::ElementsAre(::testing::Ge(65530), ::testing::AllOf(::testing::Ge(32880), ::testing::Le(32910)),
                                     ::testing::AllOf(::testing::Ge(32880), ::testing::Le(32910))));
  EXPECT_THAT(encoded_cielab({0, 0, 0}), ::testing::ElementsAre(0, 32896, 32896));
  const auto red = encoded_cielab({1, 0, 0});
  EXPECT_NEAR(red[0] * 100.0 / 65535, 54.29, 0.05);
  EXPECT_NEAR(red[1] * 255.0 / 65535 - 128, 80.81, 0.1);
  EXPECT_NEAR(red[2] * 255.0 / 65535 - 128, 69.89, 0.1);
}

TEST(DicomWrite, CodesOfTheUserReplaceTheKnownOnes) {
  std::vector<Segment> segments(1);
  segments[0].name = "heart and vessels";
  ASSERT_TRUE(find_segment_codes("Heart_and_Vessels", segments[0]));
  apply_segment_codes(
      "heart and vessels = 91723000^SCT^Anatomical Structure / 80891009^SCT^Heart / 816094009^SCT^Thorax", segments);
  EXPECT_EQ(segments[0].type.meaning, "Heart");
  EXPECT_EQ(segments[0].anatomy->value, "816094009");
  EXPECT_THROW(apply_segment_codes("heart and vessels = 1^SCT", segments), Failure);
  EXPECT_THROW(apply_segment_codes("liver = 1^SCT^a / 2^SCT^b", segments), Failure);
}

TEST(DicomWrite, UidsAreNewAndWithinSixtyFourCharacters) {
  std::set<std::string> seen;
  for (int i = 0; i < 2000; ++i) {
    const std::string uid = new_uid();
    EXPECT_EQ(uid.rfind("2.25.", 0), 0U);
    EXPECT_LE(uid.size(), 44U);
    EXPECT_NE(uid[5], '0');
    EXPECT_TRUE(seen.insert(uid).second);
  }
}

TEST(DicomWrite, ALongProvenanceIsKeptInPieces) {
  const ScratchFolder folder;
  write_oblique(folder / "in");
  const Source source(folder / "in");
  OutputDescription d = description();
  d.provenance.clear();
  for (int i = 0; i < 300; ++i) d.provenance += "step " + std::to_string(i) + ", ";
  write_series((folder / "out").string(), source.volume, source.metadata, d, Workers());
  const fs::path file = folder / "out" / "IM00001.dcm";
  EXPECT_EQ(validation_errors(file), "");
  DcmFileFormat format;
  ASSERT_TRUE(format.loadFile(OFFilename(file.c_str())).good());
  std::string all;
  for (long i = 0;; ++i) {
    DcmItem* item = nullptr;
    if (format.getDataset()->findAndGetSequenceItem(DCM_ContributingEquipmentSequence, item, i).bad()) break;
    OFString piece;
    item->findAndGetOFStringArray(DCM_ContributionDescription, piece);
    all += piece.c_str();
  }
  EXPECT_THAT(all, HasSubstr("step 0, step 1,"));
  EXPECT_THAT(all, HasSubstr("step 299"));
}

TEST(DicomWrite, TextBeyondAsciiTurnsTheObjectToUtf8WithTheNameIntact) {
  const ScratchFolder folder;
  SyntheticSlice s;
  s.set = {{0x00080005, "ISO_IR 100"}, {0x00100010, "M\xFCller^J\xF6rg"}};  // Latin-1
  write_series(folder / "in", 2, 0, 2, s);
  const Source source(folder / "in");
  OutputDescription d = description();
  write_series((folder / "plain").string(), source.volume, source.metadata, d, Workers());
  EXPECT_EQ(value(folder / "plain" / "IM00001.dcm", DCM_SpecificCharacterSet), "ISO_IR 100");
  EXPECT_EQ(value(folder / "plain" / "IM00001.dcm", DCM_PatientName), "M\xFCller^J\xF6rg");
  d.series_description = "Ge\xC3\xA4ndert";
  write_series((folder / "utf8").string(), source.volume, source.metadata, d, Workers());
  EXPECT_EQ(value(folder / "utf8" / "IM00001.dcm", DCM_SpecificCharacterSet), "ISO_IR 192");
  EXPECT_EQ(value(folder / "utf8" / "IM00001.dcm", DCM_PatientName), "M\xC3\xBCller^J\xC3\xB6rg");
  EXPECT_EQ(validation_errors(folder / "utf8" / "IM00001.dcm"), "");
}

TEST(DicomWrite, PathsTakeANumberInOnePlace) {
  EXPECT_EQ(numbered_path("a/phase_%02d", 7), "a/phase_07");
  EXPECT_EQ(numbered_path("a/phase", 0), "a/phase");
  EXPECT_THROW(numbered_path("a/phase", 1), Failure);
  EXPECT_THROW(numbered_path("a/%s", 0), Failure);
}

}  // namespace
