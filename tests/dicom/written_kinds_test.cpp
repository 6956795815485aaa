// Every kind of object beside the classic CT and MR: valid, and with what was put in. pydicom and highdicom read them
// in tests/interop.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <isocenter/error.hpp>
#include <random>

#include "dicom/frame_encoder.hpp"
#include "dicom/measure_segments.hpp"
#include "dicom/outlines.hpp"
#include "dicom/segment_codes.hpp"
#include "dicom/synthetic_series.hpp"
#include "dicom/validate.hpp"
#include "dicom/write_encapsulated_pdf.hpp"
#include "dicom/write_parametric_map.hpp"
#include "dicom/write_presentation_state.hpp"
#include "dicom/write_report.hpp"
#include "dicom/write_structure_set.hpp"
#include "dicom/written_objects.hpp"

namespace {

using namespace isocenter::testing;
using isocenter::Failure;
using ::testing::HasSubstr;

std::vector<Segment> two_segments() {
  std::vector<Segment> segments(2);
  for (std::size_t i = 0; i < 2; ++i) {
    segments[i].label = static_cast<int>(i) + 1;
    segments[i].name = i == 0 ? "lung" : "lesion";
    find_segment_codes(segments[i].name, segments[i]);
  }
  segments[1].anatomy = Code{"39607008", "SCT", "Lung"};
  return segments;
}

/// Whether a pixel's centre lies in a polygon, by the even-odd rule.
bool holds(const std::vector<Corner>& polygon, double x, double y) {
  bool in = false;
  for (std::size_t i = 0, j = polygon.size() - 1; i < polygon.size(); j = i++) {
    const Corner a = polygon[i], b = polygon[j];
    if ((a.y > y) != (b.y > y) && x < a.x + (y - a.y) * (b.x - a.x) / static_cast<double>(b.y - a.y)) in = !in;
  }
  return in;
}

TEST(DicomOutlines, HoldExactlyThePixelsOfAnyMask) {
  std::mt19937 random(7);
  for (const auto& [nx, ny, percent] : {std::tuple{1, 1, 100}, {7, 5, 50}, {31, 23, 30}, {40, 33, 60}, {29, 41, 85}}) {
    std::vector<bool> mask(static_cast<std::size_t>(nx * ny));
    for (auto&& m : mask) m = static_cast<int>(random() % 100) < percent;
    const auto polygons =
        outlines(nx, ny, [&, w = nx](int x, int y) { return mask[static_cast<std::size_t>(y * w + x)]; });
    for (int y = 0; y < ny; ++y)
      for (int x = 0; x < nx; ++x) {
        const auto n =
            std::count_if(polygons.begin(), polygons.end(), [&](const auto& p) { return holds(p, x + 0.5, y + 0.5); });
        ASSERT_EQ(n, mask[static_cast<std::size_t>(y * nx + x)] ? 1 : 0)
            << x << ' ' << y << " of " << nx << " x " << ny;
      }
  }
}

TEST(DicomOutlines, ARingIsOnePolygonWithAChannelAndADiskHasNone) {
  const auto ring = outlines(9, 9, [](int x, int y) {
    const int d = std::max(std::abs(x - 4), std::abs(y - 4));
    return d == 3 || d == 2;
  });
  ASSERT_EQ(ring.size(), 1U);
  EXPECT_EQ(ring[0].size(), 10U);  // four corners outside, four inside, and the channel's end twice
  EXPECT_EQ(outlines(5, 5, [](int x, int y) { return x > 0 && y > 1; })[0].size(), 4U);
  EXPECT_TRUE(outlines(4, 4, [](int, int) { return false; }).empty());
}

TEST(DicomMeasure, AnArithmeticSeriesHasItsClosedForm) {
  // 1 ... n has the mean (n + 1) / 2 and the sample variance n (n + 1) / 12.
  const int nx = 5, ny = 3, nz = 4, n = nx * ny * nz;
  std::vector<std::uint8_t> labels(static_cast<std::size_t>(n), 2);
  std::vector<float> values(labels.size());
  for (int i = 0; i < n; ++i) values[static_cast<std::size_t>(i)] = 1000.0F + static_cast<float>(i + 1);
  labels[0] = 0;  // leaves 2 ... n
  const auto m =
      measure_segments(labels, values, nx, ny, nz, isocenter::Geometry({0.5, 2, 3}, {0, 0, 0}), 3, Workers());
  EXPECT_EQ(m[0].voxels, 0);
  EXPECT_EQ(m[1].voxels, n - 1);
  EXPECT_DOUBLE_EQ(m[1].volume_mm3, 3.0 * (n - 1));
  EXPECT_NEAR(m[1].mean, 1000 + (n + 2) / 2.0, 1e-9);
  EXPECT_NEAR(m[1].standard_deviation, std::sqrt((n - 1) * n / 12.0), 1e-9);
  EXPECT_EQ(m[1].minimum, 1002);
  EXPECT_EQ(m[1].maximum, 1000 + n);
  EXPECT_EQ(m[2].voxels, 0);
  values[7] = std::nanf("");
  EXPECT_THROW(measure_segments(labels, values, nx, ny, nz, isocenter::Geometry(), 3, Workers()), Failure);
}

TEST(DicomMeasure, ABrickLiesWhereItsVoxelsDo) {
  const int nx = 6, ny = 4, nz = 5;
  std::vector<std::uint8_t> labels(static_cast<std::size_t>(nx * ny * nz), 0);
  const std::vector<float> values(labels.size(), 1.0F);
  for (int k = 1; k <= 2; ++k)
    for (int j = 0; j <= 1; ++j)
      for (int i = 2; i <= 4; ++i) labels[static_cast<std::size_t>((k * ny + j) * nx + i)] = 1;
  isocenter::Geometry coronal({0.5, 2, 3}, {10, 20, 30});  // x to the left, y to the feet, z to the back
  const double direction[9] = {1, 0, 0, 0, 0, 1, 0, -1, 0};
  std::copy(direction, direction + 9, coronal.direction);
  const auto m = measure_segments(labels, values, nx, ny, nz, coronal, 2, Workers());
  // Along x 10 + 0.5 i with i = 3, along y 20 + 3 k with k = 1.5, along z 30 - 2 j with j = 0.5.
  EXPECT_EQ(m[0].centroid_mm, (std::array<double, 3>{11.5, 24.5, 29}));
  EXPECT_EQ(m[0].box_mm, (std::array<double, 6>{10.75, 21.5, 31, 12.25, 27.5, 27}));
  EXPECT_EQ(m[1].centroid_mm, (std::array<double, 3>{}));
}

class Compression : public ::testing::TestWithParam<LosslessCompression> {};

TEST_P(Compression, KeepsEveryValueOfADerivedSeries) {
  const ScratchFolder folder;
  write_oblique(folder / "in");
  Source source(folder / "in");
  std::mt19937 random(3);
  for (float& v : source.voxels) v = static_cast<float>(static_cast<int>(random() % 5000) - 2000);
  for (const bool enhanced : {false, true}) {
    source.volume.compression = GetParam();
    const fs::path out = folder / (enhanced ? "enhanced" : "classic");
    if (enhanced)
      write_enhanced(out.string(), source.volume, source.metadata, description(), Workers());
    else
      write_series(out.string(), source.volume, source.metadata, description(), Workers());
    EXPECT_EQ(validation_errors(out / "IM00001.dcm"), "") << out;
    const Source again(out);
    EXPECT_EQ(again.voxels, source.voxels) << out;
    for (int i = 0; i < 9; ++i)
      EXPECT_NEAR(again.volume.geometry.direction[i], source.volume.geometry.direction[i], 1e-9);
    for (int i = 0; i < 3; ++i)
      EXPECT_NEAR(again.volume.geometry.origin_mm[i], source.volume.geometry.origin_mm[i], 1e-9);
  }
}

INSTANTIATE_TEST_SUITE_P(DicomWrite, Compression,
                         ::testing::Values(LosslessCompression::none, LosslessCompression::rle,
                                           LosslessCompression::jpeg_ls, LosslessCompression::jpeg_2000));

TEST(DicomWriteKinds, AnEnhancedMrObjectIsValid) {
  const ScratchFolder folder;
  SyntheticSlice s;
  s.modality = "MR";
  write_series(folder / "in", 3, 0, 2, s);
  Source source(folder / "in");
  source.volume.unit = "a.u.";
  write_enhanced((folder / "out").string(), source.volume, source.metadata, description(), Workers());
  EXPECT_EQ(validation_errors(folder / "out" / "IM00001.dcm"), "");
  EXPECT_EQ(value(folder / "out" / "IM00001.dcm", DCM_SOPClassUID), "1.2.840.10008.5.1.4.1.1.4.1");
}

/// PET of 1.5 Bq/ml steps.
SyntheticSlice pet_slice() {
  SyntheticSlice s;
  s.modality = "PT";
  s.set = {{0x00080016, "1.2.840.10008.5.1.4.1.1.128"},
           {0x00541001, "BQML"},
           {0x00281052, "0"},
           {0x00281053, "1.5"},
           {0x00541000, "STATIC\\IMAGE"},
           {0x00101030, "70"}};
  return s;
}

TEST(DicomWriteKinds, LegacyConvertedObjectsAreValidKeepTheAcquisitionAndNameEachFramesImage) {
  SyntheticSlice mr;
  mr.modality = "MR";
  mr.set = {{0x00080016, "1.2.840.10008.5.1.4.1.1.4"}, {0x00180081, "30"}};
  const std::tuple<const char*, SyntheticSlice, const char*, DcmTagKey, const char*> kinds[] = {
      {"1.2.840.10008.5.1.4.1.1.2.2", {}, "HU", DCM_Modality, "CT"},
      {"1.2.840.10008.5.1.4.1.1.4.4", mr, "a.u.", DCM_EchoTime, "30"},
      {"1.2.840.10008.5.1.4.1.1.128.1", pet_slice(), "BQML", DCM_Units, "BQML"},
  };
  for (const auto& [sop_class, slice, unit, tag, kept] : kinds) {
    const ScratchFolder folder;
    write_series(folder / "in", 3, 0, 2, slice);
    Source source(folder / "in");
    source.volume.unit = unit;
    write_legacy_converted((folder / "out").string(), source.volume, source.metadata, description(), Workers());
    const fs::path file = folder / "out" / "IM00001.dcm";
    EXPECT_EQ(validation_errors(file), "") << sop_class;
    EXPECT_EQ(value(file, DCM_SOPClassUID), sop_class);
    EXPECT_EQ(value(file, tag), kept) << sop_class;
    const Source again(folder / "out");
    EXPECT_EQ(again.volume.unit, unit);
    const float range = *std::max_element(source.voxels.begin(), source.voxels.end()) -
                        *std::min_element(source.voxels.begin(), source.voxels.end());
    for (std::size_t i = 0; i < source.voxels.size(); ++i)
      EXPECT_NEAR(again.voxels[i], source.voxels[i], 0.51F * range / 65535 + 1e-3F) << sop_class;
    for (int i = 0; i < 3; ++i)
      EXPECT_NEAR(again.volume.geometry.origin_mm[i], source.volume.geometry.origin_mm[i], 1e-9);
    DcmFileFormat format;
    ASSERT_TRUE(format.loadFile(OFFilename(file.c_str())).good());
    for (unsigned long k = 0; k < 3; ++k) {
      DcmItem *frame = nullptr, *from = nullptr;
      ASSERT_TRUE(format.getDataset()
                      ->findAndGetSequenceItem(DCM_PerFrameFunctionalGroupsSequence, frame, static_cast<long>(k))
                      .good());
      ASSERT_TRUE(frame->findAndGetSequenceItem(DCM_ConversionSourceAttributesSequence, from).good());
      OFString uid;
      from->findAndGetOFString(DCM_ReferencedSOPInstanceUID, uid);
      EXPECT_EQ(uid.c_str(), source.metadata.slices[k].sop_instance_uid) << sop_class;
    }
  }
}

TEST(DicomWriteKinds, ALegacyConvertedObjectNeedsAClassicSourceOnItsOwnGrid) {
  const ScratchFolder folder;
  write_series(folder / "in", 3, 0, 2);
  Source source(folder / "in");
  auto shifted = source.volume.geometry;
  shifted.origin_mm[2] += 0.7;
  EXPECT_THROW(require_legacy_converted(source.metadata, shifted, 3), Failure);
  EXPECT_THROW(require_legacy_converted(source.metadata, source.volume.geometry, 4), Failure);
  write_enhanced((folder / "enhanced").string(), source.volume, source.metadata, description(), Workers());
  const Source enhanced(folder / "enhanced");
  EXPECT_THROW(require_legacy_converted(enhanced.metadata, enhanced.volume.geometry, 3), Failure);
  EXPECT_THROW(require_legacy_converted({}, source.volume.geometry, 3), Failure);
}

TEST(DicomWriteKinds, APetSeriesIsValidAndHasNoIntercept) {
  const ScratchFolder folder;
  write_series(folder / "in", 3, 0, 2, pet_slice());
  Source source(folder / "in");
  EXPECT_EQ(source.volume.unit, "BQML");
  for (float& v : source.voxels) v = v * 3.7F + 12;
  write_series((folder / "out").string(), source.volume, source.metadata, description(), Workers());
  const fs::path file = folder / "out" / "IM00001.dcm";
  EXPECT_EQ(validation_errors(file), "");
  EXPECT_EQ(value(file, DCM_RescaleIntercept), "0");
  EXPECT_EQ(value(file, DCM_Units), "BQML");
  EXPECT_EQ(value(file, DCM_PatientWeight), "70");
  const float high = *std::max_element(source.voxels.begin(), source.voxels.end());
  const Source again(folder / "out");
  for (std::size_t i = 0; i < source.voxels.size(); ++i)
    EXPECT_NEAR(again.voxels[i], source.voxels[i], 0.51F * high / 65535);
}

TEST(DicomWriteKinds, AFractionalSegmentationIsValidCompressedOrNot) {
  const ScratchFolder folder;
  write_oblique(folder / "in");
  const Source source(folder / "in");
  const std::size_t voxels = source.voxels.size();
  std::vector<float> probabilities(3 * voxels, 0.0F);  // background, lung, lesion
  probabilities[voxels + 3] = 0.5F;
  probabilities[2 * voxels + 50] = 1.0F;
  probabilities[2 * voxels + 51] = 0.001F;  // less than half a step: no value
  SegmentationToWrite s;
  s.probabilities = probabilities;
  s.nx = source.volume.nx;
  s.ny = source.volume.ny;
  s.nz = source.volume.nz;
  s.geometry = source.volume.geometry;
  s.segments = two_segments();
  s.algorithm_name = "Test";
  for (const auto compression : {LosslessCompression::none, LosslessCompression::rle, LosslessCompression::jpeg_ls,
                                 LosslessCompression::jpeg_2000}) {
    s.compression = compression;
    const fs::path file = folder / "seg.dcm";
    write_segmentation(file.string(), s, source.metadata, description());
    EXPECT_EQ(validation_errors(file), "");
    EXPECT_EQ(value(file, DCM_NumberOfFrames), "2");
    EXPECT_EQ(value(file, DCM_SegmentationType), "FRACTIONAL");
  }
  s.compression = LosslessCompression::none;
  write_segmentation((folder / "seg.dcm").string(), s, source.metadata, description());
  DcmFileFormat format;
  ASSERT_TRUE(format.loadFile(OFFilename((folder / "seg.dcm").c_str())).good());
  const Uint8* bytes = nullptr;
  ASSERT_TRUE(format.getDataset()->findAndGetUint8Array(DCM_PixelData, bytes).good());
  const std::size_t plane = static_cast<std::size_t>(s.nx * s.ny);
  EXPECT_EQ(bytes[3], 128);
  EXPECT_EQ(bytes[plane + 50 % plane], 255);
  probabilities[5] = 0;
  probabilities[voxels] = 1.5F;
  EXPECT_THROW(write_segmentation((folder / "bad.dcm").string(), s, source.metadata, description()), Failure);
}

TEST(DicomWriteKinds, AParametricMapHoldsTheFloatsThemselves) {
  const ScratchFolder folder;
  write_oblique(folder / "in");
  Source source(folder / "in");
  for (std::size_t i = 0; i < source.voxels.size(); ++i) source.voxels[i] = 1e-7F * static_cast<float>(i) - 3.3F;
  MapToWrite m{source.voxels,
               source.volume.nx,
               source.volume.ny,
               source.volume.nz,
               source.volume.geometry,
               unit_code("1/mm"),
               {"112031", "DCM", "Attenuation Coefficient"},
               "MU",
               "Attenuation"};
  const fs::path file = folder / "map.dcm";
  write_parametric_map(file.string(), m, source.metadata, description());
  EXPECT_EQ(validation_errors(file), "");
  DcmFileFormat format;
  ASSERT_TRUE(format.loadFile(OFFilename(file.c_str())).good());
  const Float32* floats = nullptr;
  unsigned long count = 0;
  ASSERT_TRUE(format.getDataset()->findAndGetFloat32Array(DCM_FloatPixelData, floats, &count).good());
  EXPECT_TRUE(std::equal(source.voxels.begin(), source.voxels.end(), floats, floats + count));
  source.voxels[9] = INFINITY;
  EXPECT_THROW(write_parametric_map(file.string(), m, source.metadata, description()), Failure);
}

TEST(DicomWriteKinds, AStructureSetIsValidAndNamesItsImages) {
  const ScratchFolder folder;
  write_oblique(folder / "in");
  const Source source(folder / "in");
  std::vector<std::uint8_t> labels(source.voxels.size(), 0);
  for (const std::size_t i : {3U, 4U, 11U, 60U}) labels[i] = 1;
  labels[100] = 2;
  const StructureSetToWrite s{
      labels, source.volume.nx, source.volume.ny, source.volume.nz, source.volume.geometry, two_segments(), "Test"};
  const fs::path file = folder / "rtss.dcm";
  write_structure_set(file.string(), s, source.metadata, description());
  EXPECT_EQ(validation_errors(file), "");
  EXPECT_EQ(value(file, DCM_ROIName), "lung");
  EXPECT_EQ(value(file, DCM_PatientName), "Oblique^Patient");
  const std::vector<std::uint8_t> none(labels.size(), 0);
  EXPECT_THROW(
      write_structure_set(file.string(), {none, s.nx, s.ny, s.nz, s.geometry, s.segments, s.structure_set_label},
                          source.metadata, description()),
      Failure);
}

TEST(DicomWriteKinds, AReportOfMeasurementsIsValid) {
  const ScratchFolder folder;
  write_oblique(folder / "in");
  const Source source(folder / "in");
  ReportToWrite r;
  r.segments = two_segments();
  r.measurements = {{12, 17.28, -801.25, 12.5, -900, -700}, {1, 1.44, 40, 0, 40, 40}};
  r.unit = "HU";
  r.study_uid = "1.2.3";
  r.segmentation_uid = "2.25.77";
  r.segmentation_series_uid = "2.25.78";
  const fs::path file = folder / "sr.dcm";
  write_report(file.string(), r, source.metadata, description());
  EXPECT_EQ(validation_errors(file), "");
  r.unit = "parsec";
  EXPECT_THROW(write_report(file.string(), r, source.metadata, description()), Failure);
}

TEST(DicomWriteKinds, APresentationStateIsValidAndAnchorsItsTextToItsSlice) {
  const ScratchFolder folder;
  write_oblique(folder / "in");
  const Source source(folder / "in");
  const auto at = source.volume.geometry.position_mm(3, 2, 1.2);
  PresentationToWrite p;
  p.columns = source.volume.nx;
  p.rows = source.volume.ny;
  p.geometry = source.volume.geometry;
  p.window_centre = 40;
  p.window_width = 400;
  p.label = "TEST";
  p.annotations = {{{at[0], at[1], at[2]}, "here"}};
  require_shows(p, source.volume.nz, source.metadata);
  const fs::path file = folder / "pr.dcm";
  write_presentation_state(file.string(), p, source.metadata, description());
  EXPECT_EQ(validation_errors(file), "");
  DcmFileFormat format;
  ASSERT_TRUE(format.loadFile(OFFilename(file.c_str())).good());
  DcmItem* annotation = nullptr;
  ASSERT_TRUE(format.getDataset()->findAndGetSequenceItem(DCM_GraphicAnnotationSequence, annotation).good());
  OFString uid;
  annotation->findAndGetOFString(DCM_ReferencedSOPInstanceUID, uid, 0, OFTrue);
  EXPECT_EQ(uid, source.metadata.slices[1].sop_instance_uid.c_str());
  DcmItem* text = nullptr;
  ASSERT_TRUE(annotation->findAndGetSequenceItem(DCM_TextObjectSequence, text).good());
  Float32 x = 0, y = 0;
  text->findAndGetFloat32(DCM_AnchorPoint, x, 0);
  text->findAndGetFloat32(DCM_AnchorPoint, y, 1);
  EXPECT_NEAR(x, 3.5, 1e-4);
  EXPECT_NEAR(y, 2.5, 1e-4);
  p.annotations[0].position.x += 1000;
  EXPECT_THROW(require_shows(p, source.volume.nz, source.metadata), Failure);
  p.annotations.clear();
  p.geometry.origin_mm[2] += 1;
  EXPECT_THROW(require_shows(p, source.volume.nz, source.metadata), Failure);
}

TEST(DicomWriteKinds, AnEncapsulatedDocumentIsValidAndByteForByteTheFile) {
  const ScratchFolder folder;
  write_oblique(folder / "in");
  const Source source(folder / "in");
  const std::string pdf = "%PDF-1.4\nodd";
  std::FILE* f = std::fopen((folder / "a.pdf").c_str(), "wb");
  std::fwrite(pdf.data(), 1, pdf.size() + 1, f);  // with the zero: an odd length
  std::fclose(f);
  const fs::path file = folder / "doc.dcm";
  write_encapsulated_pdf(file.string(), (folder / "a.pdf").string(), "Title", source.metadata, description());
  EXPECT_EQ(validation_errors(file), "");
  EXPECT_EQ(value(file, DCM_EncapsulatedDocumentLength), std::to_string(pdf.size() + 1));
  EXPECT_THROW(
      write_encapsulated_pdf(file.string(), (folder / "in" / "o0").string(), "T", source.metadata, description()),
      Failure);
  EXPECT_THROW(write_encapsulated_pdf(file.string(), (folder / "none").string(), "T", source.metadata, description()),
               Failure);
}

}  // namespace
