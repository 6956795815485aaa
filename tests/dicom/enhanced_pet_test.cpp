// PS3.3 A.56: an Enhanced PET object from a classic source and what was stated beside it, and from an enhanced one.
#include <gmock/gmock.h>

#include <algorithm>
#include <isocenter/error.hpp>
#include <utility>
#include <vector>

#include "dicom/synthetic_series.hpp"
#include "dicom/validate.hpp"
#include "dicom/validate_object.hpp"
#include "dicom/written_objects.hpp"

namespace {

using namespace isocenter::testing;
using isocenter::ErrorCode;
using isocenter::Failure;
using ::testing::HasSubstr;

const char* const statements =
    "TableMotion = STATIC; TimeOfFlightInformationUsed = TRUE; "
    "AdministrationRouteCodeSequence = 47625008^SCT^Intravenous route; AttenuationCorrectionSource = CT; "
    "AttenuationCorrectionTemporalRelationship = SEPARATE; RelatedSeriesSequence = 1.2.3.9";

/// What scanners write: the drug and its decay, the corrections as terms, no route and no table.
SyntheticSlice classic_pet() {
  SyntheticSlice s;
  s.modality = "PT";
  s.set = {{0x00080016, "1.2.840.10008.5.1.4.1.1.128"},
           {0x00080021, "20260310"},
           {0x00080031, "114000"},
           {0x00080022, "20260310"},
           {0x00080032, "114000"},
           {0x00541000, "STATIC\\IMAGE"},
           {0x00541001, "BQML"},
           {0x00541002, "EMISSION"},
           {0x00541102, "START"},
           {0x00541100, "DLYD"},
           {0x00541105, "single scatter simulation"},
           {0x00280051, "DECY\\ATTN\\SCAT\\RAN\\DCAL\\NORM"},
           {0x00281052, "0"},
           {0x00281053, "1.5"},
           {0x00180015, "CHEST"}};
  return s;
}

void put_code(DcmItem& to, const DcmTagKey& sequence, const char* value, const char* meaning) {
  ItemWriter(to).code(sequence, {value, "SCT", meaning});
}

/// A series of `count` slices with a radiopharmaceutical; `edit` may change each file.
template <class Edit>
void write_pet(const fs::path& folder, const Edit& edit, const SyntheticSlice& like = classic_pet()) {
  write_series(folder, 4, -7.5, 3, like);
  for (const auto& entry : fs::directory_iterator(folder)) {
    DcmFileFormat file;
    ASSERT_TRUE(file.loadFile(OFFilename(entry.path().c_str())).good());
    file.loadAllDataIntoMemory();
    DcmItem* drug = nullptr;
    file.getDataset()->findOrCreateSequenceItem(DCM_RadiopharmaceuticalInformationSequence, drug);
    put_code(*drug, DCM_RadionuclideCodeSequence, "77004003", "^18^Fluorine");
    put_code(*drug, DCM_RadiopharmaceuticalCodeSequence, "35321007", "Fluorodeoxyglucose F^18^");
    drug->putAndInsertString(DCM_RadiopharmaceuticalStartTime, "104000.5");
    drug->putAndInsertString(DCM_RadionuclideTotalDose, "350000000");
    drug->putAndInsertString(DCM_RadionuclideHalfLife, "6586.2");
    drug->putAndInsertString(DCM_RadionuclidePositronFraction, "0.967");
    edit(*file.getDataset(), *drug);
    ASSERT_TRUE(file.saveFile(OFFilename(entry.path().c_str())).good());
  }
}

void nothing(DcmItem&, DcmItem&) {}

/// The error of planning an Enhanced PET object with statements; "" when there is none.
std::string error_of(Source& source, const std::string& acquisition, ErrorCode code = ErrorCode::unsupported) {
  source.volume.acquisition = acquisition;
  try {
    require_enhanced(source.metadata, source.volume);
  } catch (const Failure& e) {
    EXPECT_EQ(e.code(), code) << e.what();
    return e.what();
  }
  return {};
}

void expect_read_back(const Source& source, const fs::path& folder, const std::string& unit, bool is_signed) {
  const fs::path file = folder / "IM00001.dcm";
  EXPECT_EQ(validation_errors(file), "");
  for (const Violation& v : validate_object(file.string())) EXPECT_FALSE(v.error) << v.attribute << ' ' << v.what;
  const Source again(folder);
  EXPECT_EQ(again.metadata.sop_class_uid, "1.2.840.10008.5.1.4.1.1.130");
  EXPECT_EQ(again.volume.unit, unit);
  const auto [low, high] = std::minmax_element(source.voxels.begin(), source.voxels.end());
  const float step = std::max(*high, -*low) / (is_signed ? 32767 : 65535);
  ASSERT_EQ(again.voxels.size(), source.voxels.size());
  for (std::size_t i = 0; i < source.voxels.size(); ++i) ASSERT_NEAR(again.voxels[i], source.voxels[i], 0.51F * step);
  for (int i = 0; i < 9; ++i)
    EXPECT_NEAR(again.volume.geometry.direction[i], source.volume.geometry.direction[i], 1e-9);
  for (int i = 0; i < 3; ++i) {
    EXPECT_NEAR(again.volume.geometry.origin_mm[i], source.volume.geometry.origin_mm[i], 1e-9);
    EXPECT_NEAR(again.volume.geometry.spacing_mm[i], source.volume.geometry.spacing_mm[i], 1e-9);
  }
}

TEST(DicomEnhancedPet, IsValidSaysWhatTheClassicSourceSaidAndHoldsItsValuesAndPlaces) {
  const ScratchFolder folder;
  write_pet(folder / "in", nothing);
  Source source(folder / "in");
  source.volume.acquisition = statements;
  write_enhanced((folder / "out").string(), source.volume, source.metadata, description(), Workers());
  expect_read_back(source, folder / "out", "BQML", false);
  const fs::path file = folder / "out" / "IM00001.dcm";
  const std::pair<DcmTagKey, const char*> expected[] = {
      {DCM_ImageType, "DERIVED\\PRIMARY\\VOLUME\\NONE"},
      {DCM_CountsSource, "EMISSION"},
      {DCM_DecayCorrected, "YES"},
      {DCM_AttenuationCorrected, "YES"},
      {DCM_ScatterCorrected, "YES"},
      {DCM_DeadTimeCorrected, "NO"},
      {DCM_GantryMotionCorrected, "NO"},
      {DCM_PatientMotionCorrected, "NO"},
      {DCM_CountLossNormalizationCorrected, "NO"},
      {DCM_RandomsCorrected, "YES"},
      {DCM_NonUniformRadialSamplingCorrected, "NO"},
      {DCM_SensitivityCalibrated, "YES"},
      {DCM_DetectorNormalizationCorrection, "YES"},
      {DCM_DecayCorrectionDateTime, "20260310114000"},
      {DCM_RandomsCorrectionMethod, "DLYD"},
      {DCM_ScatterCorrectionMethod, "single scatter simulation"},
      {DCM_TableMotion, "STATIC"},
      {DCM_TimeOfFlightInformationUsed, "TRUE"},
      {DCM_RadiopharmaceuticalStartDateTime, "20260310104000.5"},
      {DCM_RadionuclideTotalDose, "350000000"},
      {DCM_RadionuclideHalfLife, "6586.2"},
      {DCM_RadionuclidePositronFraction, "0.967"},
      {DCM_RadiopharmaceuticalAgentNumber, "1"},
  };
  for (const auto& [tag, text] : expected) EXPECT_EQ(value(file, tag), text) << tag.toString();
  DcmFileFormat format;
  ASSERT_TRUE(format.loadFile(OFFilename(file.c_str())).good());
  DcmItem *shared = nullptr, *item = nullptr, *code = nullptr;
  ASSERT_TRUE(format.getDataset()->findAndGetSequenceItem(DCM_SharedFunctionalGroupsSequence, shared).good());
  ASSERT_TRUE(shared->findAndGetSequenceItem(DCM_RealWorldValueMappingSequence, item).good());
  ASSERT_TRUE(item->findAndGetSequenceItem(DCM_MeasurementUnitsCodeSequence, code).good());
  OFString text;
  code->findAndGetOFString(DCM_CodeValue, text);
  EXPECT_EQ(text, "Bq/ml");
  ASSERT_TRUE(format.getDataset()->findAndGetSequenceItem(DCM_ViewCodeSequence, code).good());
  code->findAndGetOFString(DCM_CodeMeaning, text);
  EXPECT_EQ(text, "Transverse");
  ASSERT_TRUE(format.getDataset()->findAndGetSequenceItem(DCM_RelatedSeriesSequence, item).good());
  item->findAndGetOFString(DCM_SeriesInstanceUID, text);
  EXPECT_EQ(text, "1.2.3.9");
}

TEST(DicomEnhancedPet, ComesFromAnEnhancedSourceWithoutStatementsCompressedAndSignedToo) {
  const ScratchFolder folder;
  write_pet(folder / "in", nothing);
  Source classic(folder / "in");
  classic.volume.acquisition = statements;
  write_enhanced((folder / "first").string(), classic.volume, classic.metadata, description(), Workers());
  Source enhanced(folder / "first");
  EXPECT_EQ(error_of(enhanced, ""), "");
  for (std::size_t i = 0; i < enhanced.voxels.size(); ++i) enhanced.voxels[i] = 1e-3F * static_cast<float>(i) - 0.05F;
  enhanced.volume.unit = "SUV";
  enhanced.volume.compression = LosslessCompression::jpeg_2000;
  write_enhanced((folder / "second").string(), enhanced.volume, enhanced.metadata, description(), Workers());
  expect_read_back(enhanced, folder / "second", "GML", true);
  EXPECT_EQ(value(folder / "second" / "IM00001.dcm", DCM_DecayCorrectionDateTime), "20260310114000");
}

TEST(DicomEnhancedPet, RefusesWhatNeitherSourceNorStatementsSayByName) {
  const ScratchFolder folder;
  write_pet(folder / "in", nothing);
  Source source(folder / "in");
  const std::string all = statements;
  const std::pair<const char*, const char*> missing[] = {
      {"TableMotion", "TableMotion (0018,1134)"},
      {"TimeOfFlightInformationUsed", "TimeOfFlightInformationUsed (0018,9755)"},
      {"AdministrationRouteCodeSequence", "AdministrationRouteCodeSequence (0054,0302)"},
      {"AttenuationCorrectionSource", "AttenuationCorrectionSource (0018,9738)"},
      {"AttenuationCorrectionTemporalRelationship", "AttenuationCorrectionTemporalRelationship (0018,9770)"},
      {"RelatedSeriesSequence", "RelatedSeriesSequence (0008,1250)"},
  };
  for (const auto& [keyword, named] : missing) {
    const std::size_t begin = all.find(std::string(keyword) + " =");
    const std::size_t end = all.find(';', begin);
    const std::string without = all.substr(0, begin) + (end == std::string::npos ? std::string() : all.substr(end + 1));
    const std::string error = error_of(source, without);
    EXPECT_THAT(error, HasSubstr(named));
    EXPECT_THAT(error, HasSubstr("legacy_converted or classic"));
  }
  const std::tuple<DcmTagKey, bool, const char*> in_source[] = {
      {DCM_CorrectedImage, false, "CorrectedImage (0028,0051)"},
      {DCM_CountsSource, false, "CountsSource (0054,1002)"},
      {DCM_ScatterCorrectionMethod, false, "ScatterCorrectionMethod (0054,1105)"},
      {DCM_RandomsCorrectionMethod, false, "RandomsCorrectionMethod (0054,1100)"},
      {DCM_DecayCorrection, false, "DecayCorrectionDateTime (0018,9701)"},
      {DCM_RadionuclideCodeSequence, true, "RadionuclideCodeSequence (0054,0300)"},
      {DCM_RadionuclideHalfLife, true, "RadionuclideHalfLife (0018,1075)"},
      {DCM_RadionuclidePositronFraction, true, "RadionuclidePositronFraction (0018,1076)"},
      {DCM_RadiopharmaceuticalCodeSequence, true, "RadiopharmaceuticalCodeSequence (0054,0304)"},
      {DCM_RadiopharmaceuticalStartTime, true, "RadiopharmaceuticalStartDateTime (0018,1078)"},
  };
  int number = 0;
  for (const auto& [tag, of_drug, named] : in_source) {
    const fs::path less = folder / std::to_string(++number);
    write_pet(less,
              [&, t = tag, d = of_drug](DcmItem& image, DcmItem& drug) { (d ? drug : image).findAndDeleteElement(t); });
    Source lacking(less);
    EXPECT_THAT(error_of(lacking, statements), HasSubstr(named));
  }
  write_pet(folder / "late", [](DcmItem&, DcmItem& drug) {  // an injection after the scan was on another day
    drug.putAndInsertString(DCM_RadiopharmaceuticalStartTime, "235900");
  });
  Source late(folder / "late");
  EXPECT_THAT(error_of(late, statements), HasSubstr("RadiopharmaceuticalStartDateTime (0018,1078)"));
  write_pet(folder / "gated",
            [](DcmItem& image, DcmItem&) { image.putAndInsertString(DCM_SeriesType, "GATED\\IMAGE"); });
  Source gated(folder / "gated");
  EXPECT_THAT(error_of(gated, statements), HasSubstr("SeriesType (0054,1000) = GATED"));
  source.volume.unit = "NONE";
  EXPECT_THAT(error_of(source, statements), HasSubstr("PS3.16 CID 84"));
}

/// The values of what was written with these statements.
void expect_written(Source& source, const std::string& acquisition, const fs::path& folder,
                    const std::vector<std::pair<DcmTagKey, const char*>>& expected) {
  source.volume.acquisition = acquisition;
  write_enhanced(folder.string(), source.volume, source.metadata, description(), Workers());
  for (const auto& [tag, text] : expected) EXPECT_EQ(value(folder / "IM00001.dcm", tag), text) << tag.toString();
}

TEST(DicomEnhancedPet, TakesATimeOfInjectionForTheDayOfTheScanOnlyWhereANuclideDecaysWithinADay) {
  const ScratchFolder folder;
  const std::string iodine = "360860", four_hours = "14400";  // I-124: 4.1766 d, ENSDF
  for (const std::string& half_life_s : {four_hours, iodine}) {
    write_pet(folder / half_life_s,
              [&](DcmItem&, DcmItem& drug) { drug.putAndInsertString(DCM_RadionuclideHalfLife, half_life_s.c_str()); });
  }
  Source fast(folder / four_hours), slow(folder / iodine);
  EXPECT_EQ(error_of(fast, statements), "");
  const std::string error = error_of(slow, statements);
  EXPECT_THAT(error, HasSubstr("RadiopharmaceuticalStartDateTime (0018,1078)"));
  EXPECT_THAT(error, HasSubstr("RadiopharmaceuticalStartDateTime = 20260310100000"));
  expect_written(slow, std::string(statements) + "; RadiopharmaceuticalStartDateTime = 20260306104000", folder / "out",
                 {{DCM_RadiopharmaceuticalStartDateTime, "20260306104000"}});
}

TEST(DicomEnhancedPet, TakesTheSeriesMomentForTheScansOnlyBesideThatOfTheAcquisition) {
  const ScratchFolder folder;
  write_pet(folder / "in", [](DcmItem& image, DcmItem& drug) {
    image.findAndDeleteElement(DCM_AcquisitionTime);
    drug.putAndInsertString(DCM_RadiopharmaceuticalStartDateTime, "20260310104000");
  });
  Source source(folder / "in");
  EXPECT_THAT(error_of(source, statements), HasSubstr("DecayCorrectionDateTime (0018,9701)"));
  expect_written(source, std::string(statements) + "; DecayCorrectionDateTime = 20260310113000", folder / "out",
                 {{DCM_DecayCorrectionDateTime, "20260310113000"}});
}

TEST(DicomEnhancedPet, AsksWhetherValuesInBqMlWithoutDcalWereCalibrated) {
  const ScratchFolder folder;
  write_pet(folder / "in",
            [](DcmItem& image, DcmItem&) { image.putAndInsertString(DCM_CorrectedImage, "DECY\\NORM"); });
  Source source(folder / "in");
  const std::string stated =
      "TableMotion = STATIC; TimeOfFlightInformationUsed = TRUE; "
      "AdministrationRouteCodeSequence = 47625008^SCT^Intravenous route";
  const std::string error = error_of(source, stated);
  EXPECT_THAT(error, HasSubstr("SensitivityCalibrated (0018,9767)"));
  EXPECT_THAT(error, HasSubstr("CorrectedImage (0028,0051) lacks DCAL"));
  EXPECT_THAT(error, HasSubstr("SensitivityCalibrated = YES"));
  EXPECT_THAT(error_of(source, "SensitivityCalibrated = MAYBE", ErrorCode::invalid_argument), HasSubstr("YES NO"));
  expect_written(source, stated + "; SensitivityCalibrated = YES", folder / "out",
                 {{DCM_SensitivityCalibrated, "YES"}, {DCM_DeadTimeCorrected, "NO"}});
  source.volume.unit = "CNTS";
  expect_written(source, stated, folder / "counts", {{DCM_SensitivityCalibrated, "NO"}});
}

TEST(DicomEnhancedPet, NamesTheViewOfTheSlicesOrAsksForIt) {
  const ScratchFolder folder;
  SyntheticSlice coronal = classic_pet();
  coronal.orientation = {1, 0, 0, 0, 0, -1};
  const auto along_y = [](DcmItem& image, DcmItem&) {
    OFString z;
    image.findAndGetOFString(DCM_ImagePositionPatient, z, 2);
    image.putAndInsertString(DCM_ImagePositionPatient, ("0\\" + z + "\\0").c_str());
  };
  write_pet(folder / "in", along_y, coronal);
  Source source(folder / "in");
  source.volume.acquisition = statements;
  write_enhanced((folder / "out").string(), source.volume, source.metadata, description(), Workers());
  DcmFileFormat format;
  ASSERT_TRUE(format.loadFile(OFFilename((folder / "out" / "IM00001.dcm").c_str())).good());
  DcmItem* code = nullptr;
  ASSERT_TRUE(format.getDataset()->findAndGetSequenceItem(DCM_ViewCodeSequence, code).good());
  OFString meaning;
  code->findAndGetOFString(DCM_CodeMeaning, meaning);
  EXPECT_EQ(meaning, "Coronal");
  double* d = source.volume.geometry.direction;  // 45 degrees about x
  const double h = std::sqrt(0.5), oblique[9] = {1, 0, 0, 0, h, -h, 0, h, h};
  std::copy(oblique, oblique + 9, d);
  EXPECT_THAT(error_of(source, statements), HasSubstr("ViewCodeSequence (0054,0220) does not follow"));
  EXPECT_EQ(error_of(source, std::string(statements) + "; ViewCodeSequence = 399089007^SCT^Oblique axial"), "");
  EXPECT_THAT(error_of(source, std::string(statements) + "; ViewCodeSequence = 103340004^SCT^Short axis"),
              HasSubstr("SliceProgressionDirection (0054,0500)"));
}

TEST(DicomEnhancedPet, RefusesStatementsThatCannotBeReadOrThatTheSourceMakes) {
  const ScratchFolder folder;
  write_pet(folder / "in",
            [](DcmItem&, DcmItem& drug) { drug.findAndDeleteElement(DCM_RadionuclidePositronFraction); });
  Source source(folder / "in");
  const std::pair<const char*, const char*> wrong[] = {
      {"TableMotion", "not of the form Keyword = value"},
      {"KVP = 120", "with one of TableMotion"},
      {"TableMotion = MOVING", "STATIC DYNAMIC"},
      {"AdministrationRouteCodeSequence = intravenous", "value^scheme^meaning"},
      {"RadionuclidePositronFraction = 1.2", "at most 1"},
      {"RadionuclideHalfLife = 6000", "RadionuclideHalfLife (0018,1075)"},
      {"DecayCorrectionDateTime = yesterday", "YYYYMMDDHHMMSS"},
      {"RelatedSeriesSequence = CT", "no SeriesInstanceUID"},
      {"ScatterCorrectionMethod = m\xc3\xa4\xc3\x9fig", "ASCII"},
      {"TableMotion = STATIC; TableMotion = STATIC", "earlier statement"},
      {"SensitivityCalibrated = NO", "CorrectedImage (0028,0051) lists DCAL"},
  };
  for (const auto& [statement, expected] : wrong)
    EXPECT_THAT(error_of(source, statement, ErrorCode::invalid_argument), HasSubstr(expected)) << statement;
  write_series(folder / "ct", 3, 0, 2);
  Source ct(folder / "ct");
  EXPECT_THAT(error_of(ct, "TableMotion = STATIC", ErrorCode::invalid_argument), HasSubstr("is for Enhanced PET"));
}

}  // namespace
