// dicom_validate: what we write has no fault, each kind of fault is found and named.
#include "dicom/validate_object.hpp"

#include <gmock/gmock.h>

#include <isocenter/error.hpp>

#include "dicom/segment_codes.hpp"
#include "dicom/synthetic_series.hpp"
#include "dicom/write_segmentation.hpp"
#include "dicom/written_objects.hpp"

namespace {

using namespace isocenter::testing;
using ::testing::HasSubstr;

std::string faults(const fs::path& file) {
  std::string text;
  for (const Violation& v : validate_object(file.string()))
    if (v.error) text += v.attribute + ": " + v.what + "\n";
  return text;
}

/// A derived image of ours, changed.
std::string faults_with(const std::function<void(DcmDataset&)>& change) {
  const ScratchFolder folder;
  write_oblique(folder / "in");
  const Source source(folder / "in");
  write_series((folder / "out").string(), source.volume, source.metadata, description(), Workers());
  const fs::path file = folder / "out" / "IM00001.dcm";
  DcmFileFormat format;
  EXPECT_TRUE(format.loadFile(OFFilename(file.c_str())).good());
  format.loadAllDataIntoMemory();
  change(*format.getDataset());
  EXPECT_TRUE(format
                  .saveFile(OFFilename(file.c_str()), EXS_LittleEndianExplicit, EET_ExplicitLength, EGL_withoutGL,
                            EPD_withoutPadding, 0, 0, EWM_dontUpdateMeta)
                  .good());
  return faults(file);
}

TEST(DicomValidate, WhatIsWrittenHasNoFault) {
  EXPECT_EQ(faults_with([](DcmDataset&) {}), "");
  const ScratchFolder folder;
  write_oblique(folder / "in");
  const Source source(folder / "in");
  const std::vector<std::uint8_t> labels(source.voxels.size(), 1);
  SegmentationToWrite s;
  s.labels = labels;
  s.nx = source.volume.nx;
  s.ny = source.volume.ny;
  s.nz = source.volume.nz;
  s.geometry = source.volume.geometry;
  s.algorithm_name = "Test";
  s.segments.resize(1);
  s.segments[0].name = "lung";
  find_segment_codes("lung", s.segments[0]);
  write_segmentation((folder / "seg.dcm").string(), s, source.metadata, description());
  EXPECT_EQ(faults(folder / "seg.dcm"), "");
}

TEST(DicomValidate, EachFaultNamesItsAttribute) {
  EXPECT_THAT(faults_with([](DcmDataset& d) { d.findAndDeleteElement(DCM_PatientName); }),
              HasSubstr("PatientName (0010,0010): is missing: type 2 in Patient C.7.1.1"));
  EXPECT_THAT(faults_with([](DcmDataset& d) { d.insertEmptyElement(DCM_PixelSpacing); }),
              HasSubstr("PixelSpacing (0028,0030): has no value: type 1 in Image Plane C.7.6.2"));
  EXPECT_THAT(faults_with([](DcmDataset& d) { d.putAndInsertString(DCM_StudyDate, "2020-01-02"); }),
              HasSubstr("StudyDate (0008,0020): has a value that is not allowed"));
  EXPECT_THAT(faults_with([](DcmDataset& d) { d.putAndInsertString(DCM_ImagePositionPatient, "1\\2"); }),
              HasSubstr("ImagePositionPatient (0020,0032): has a value that is not allowed"));
  EXPECT_THAT(faults_with([](DcmDataset& d) { d.putAndInsertUint16(DCM_Rows, 7); }),
              HasSubstr("PixelData (7fe0,0010): has 84 bytes, and 98 follow"));
  EXPECT_THAT(faults_with([](DcmDataset& d) { d.putAndInsertString(DCM_SOPInstanceUID, "1.2.3"); }),
              HasSubstr("MediaStorageSOPInstanceUID (0002,0003): is '"));
  EXPECT_THAT(faults_with([](DcmDataset& d) {
                DcmItem* item = nullptr;
                d.findAndGetSequenceItem(DCM_SourceImageSequence, item);
                item->putAndInsertString(DCM_ReferencedSOPInstanceUID, "1.02.3");
              }),
              HasSubstr("SourceImageSequence (0008,2112)[1] / ReferencedSOPInstanceUID (0008,1155)"));
}

TEST(DicomValidate, AFolderIsValidatedInOrderAndAFileThatIsNoDicomIsAnError) {
  const ScratchFolder folder;
  write_series(folder / "a", 2);
  std::FILE* f = std::fopen((folder / "b.txt").c_str(), "w");
  std::fputs("no", f);
  std::fclose(f);
  const auto files = validate_folder(folder.string(), Workers());
  ASSERT_EQ(files.size(), 3U);
  EXPECT_THAT(files[2].path, HasSubstr("b.txt"));
  EXPECT_THAT(to_lines(files), HasSubstr("the file cannot be read as DICOM"));
  EXPECT_THAT(to_json(files), HasSubstr("\"severity\": \"error\""));
  EXPECT_THROW(validate_folder((folder / "none").string(), Workers()), isocenter::Failure);
}

}  // namespace
