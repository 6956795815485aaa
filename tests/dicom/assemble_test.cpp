// Series put together beyond one plain volume: a fourth axis, uptake values, vendor scales, doses.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcfilefo.h>
#include <gmock/gmock.h>

#include <cmath>
#include <isocenter/error.hpp>

#include "dicom/inspect.hpp"
#include "dicom/load.hpp"
#include "dicom/pet_suv.hpp"
#include "dicom/synthetic_series.hpp"

namespace {

using namespace isocenter::detail::dicom;
using namespace isocenter::testing;
using isocenter::Failure;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

const fs::path data = ISOCENTER_TEST_DATA;

struct Loaded {
  Report report;
  LoadPlan plan;
  std::vector<float> voxels;
};

std::unique_ptr<Loaded> load_here(const fs::path& path, const LoadOptions& options,
                                  ValueScale scale = ValueScale::none) {
  auto l = std::make_unique<Loaded>();
  l->report = inspect(path.string(), Workers());
  l->plan = plan_load(l->report, options);
  scale_values(l->plan, scale, Workers());
  const StackGeometry& g = l->plan.grid;
  l->voxels.resize(static_cast<std::size_t>(l->plan.times) * static_cast<std::size_t>(g.nx) *
                   static_cast<std::size_t>(g.ny) * static_cast<std::size_t>(g.nz));
  load(l->plan, Workers(), l->voxels);
  return l;
}

template <class F>
std::string refusal_of(F&& f) {
  try {
    f();
  } catch (const Failure& e) {
    return e.what();
  }
  return "(not refused)";
}

TEST(DicomFourthAxis, TwoTimePointsAreTheirTwoStacksOneAfterTheOther) {
  const fs::path folder = data / "series_problems" / "mr_4d_two_timepoints";
  LoadOptions options;
  options.fourth_axis = FourthAxis::any;
  const auto both = load_here(folder, options);
  EXPECT_EQ(both->plan.times, 2);
  EXPECT_EQ(both->plan.grid.nz, 4);
  EXPECT_EQ(both->plan.axis_values.size(), 2U);
  const std::size_t half = both->voxels.size() / 2;
  for (int stack = 1; stack <= 2; ++stack) {
    LoadOptions one;
    one.stack = stack;
    const auto single = load_here(folder, one);
    ASSERT_EQ(single->voxels.size(), half);
    EXPECT_TRUE(std::equal(single->voxels.begin(), single->voxels.end(),
                           both->voxels.begin() + static_cast<std::ptrdiff_t>((stack - 1) * half)))
        << stack;
  }
}

TEST(DicomFourthAxis, EchoesAreOrderedByTheirTimeNotByTheirText) {
  const ScratchFolder folder;
  for (const auto& [name, time, number] : {std::tuple{"a", "12.5", 1}, {"b", "4.5", 20}, {"c", "100", 40}}) {
    SyntheticSlice s;
    s.modality = "MR";
    s.set = {{0x00180081, time}};
    for (int k = 0; k < 2; ++k) {
      s.position[2] = k;
      s.instance_number = number + k;
      write_slice(folder / (std::string(name) + std::to_string(k)), s);
    }
  }
  LoadOptions options;
  options.fourth_axis = FourthAxis::echo;
  const auto l = load_here(folder.path(), options);
  EXPECT_THAT(l->plan.axis_values, ElementsAre(4.5, 12.5, 100));
  EXPECT_EQ(l->plan.axis_name, "EchoTime (0018,0081)");
  EXPECT_EQ(l->voxels[0], (31 * 20) % 2048);  // the first pixel of the echo at 4.5 ms, z = 0
  options.fourth_axis = FourthAxis::b_value;
  EXPECT_THAT(refusal_of([&] { load_here(folder.path(), options); }), HasSubstr("no other stack of its grid"));
}

/// A PET slice with what uptake values need: 70 kg, 370 MBq of F-18, injected an hour before the scan.
void write_pet(const fs::path& file, int k, const std::vector<TagText>& more = {}) {
  SyntheticSlice s;
  s.modality = "PT";
  s.position[2] = k;
  s.instance_number = k + 1;
  s.set = {{0x00080016, "1.2.840.10008.5.1.4.1.1.128"},
           {0x00080021, "20260301"},
           {0x00080031, "001000"},
           {0x00080022, "20260301"},
           {0x00080032, "001000"},
           {0x00101030, "70"},
           {0x00281052, "0"},
           {0x00281053, "2"},
           {0x00541001, "BQML"},
           {0x00280051, "DECY\\ATTN\\SCAT"},
           {0x00541102, "START"}};
  s.set.insert(s.set.end(), more.begin(), more.end());
  write_slice(file, s);
  DcmFileFormat format;
  ASSERT_TRUE(format.loadFile(OFFilename(file.c_str())).good());
  DcmItem* drug = nullptr;
  format.getDataset()->findOrCreateSequenceItem(DCM_RadiopharmaceuticalInformationSequence, drug, 0);
  drug->putAndInsertString(DCM_RadiopharmaceuticalStartDateTime, "20260228231000");
  drug->putAndInsertString(DCM_RadionuclideTotalDose, "370000000");
  drug->putAndInsertString(DCM_RadionuclideHalfLife, "6586.2");
  ASSERT_TRUE(format.saveFile(OFFilename(file.c_str())).good());
}

TEST(DicomSuv, BodyWeightAndDecayAcrossMidnightAreTheHandCalculation) {
  const ScratchFolder folder;
  for (int k = 0; k < 3; ++k) write_pet(folder / std::to_string(k), k);
  const auto l = load_here(folder.path(), {}, ValueScale::suv_body_weight);
  EXPECT_EQ(l->plan.unit, "g/ml");
  // 3600 s: 370e6 * 2^(-3600 / 6586.2) = 253 318 6xx Bq; 70 kg are 70 000 g.
  const double dose = 370e6 * std::pow(0.5, 3600 / 6586.2);
  EXPECT_NEAR(dose, 2.5332e8, 2e4);
  EXPECT_FLOAT_EQ(l->voxels[0], static_cast<float>(2 * 31 * 70000 / dose));
}

TEST(DicomSuv, ASeriesTimeAfterTheAcquisitionIsNotTheScansStart) {
  const ScratchFolder folder;
  for (int k = 0; k < 2; ++k)
    write_pet(folder / std::to_string(k), k, {{0x00080031, "093000"}, {0x00080032, k == 0 ? "001500" : "001000"}});
  const auto suv = suv_body_weight({(folder / "0").string(), (folder / "1").string()}, Workers());
  EXPECT_DOUBLE_EQ(suv.factor, 70000 / (370e6 * std::exp2(-3600 / 6586.2)));
}

TEST(DicomSuv, WhatExcludesTheConversionIsNamed) {
  const ScratchFolder folder;
  write_pet(folder / "weight", 0, {{0x00101030, "0"}});
  write_pet(folder / "none", 0, {{0x00541102, "NONE"}});
  write_pet(folder / "counts", 0, {{0x00541001, "CNTS"}});
  const auto refused = [&](const char* name) {
    return refusal_of([&] { suv_body_weight({(folder / name).string()}, Workers()); });
  };
  EXPECT_THAT(refused("weight"), HasSubstr("PatientWeight (0010,1030) = '0' is no positive number"));
  EXPECT_THAT(refused("none"), HasSubstr("DecayCorrection (0054,1102) = 'NONE' is neither START nor ADMIN"));
  EXPECT_THAT(refused("counts"), HasSubstr("no private SUVScaleFactor (7053,1000)"));
  EXPECT_THAT(
      refusal_of([&] { load_here(data / "series_problems" / "mr_hitachi_oblique", {}, ValueScale::suv_body_weight); }),
      HasSubstr("Modality (0008,0060) = MR is not PT"));
}

TEST(DicomDose, FramesLieAtTheirOffsetsAndValuesAreScaled) {
  const auto l = load_here(data / "modalities" / "rtdose_32bit.dcm", {});
  EXPECT_EQ(l->plan.unit, "1");  // DoseUnits RELATIVE
  EXPECT_EQ(l->plan.grid.nz, 15);
  EXPECT_NEAR(l->plan.grid.dz_mm, 5, 1e-6);
  EXPECT_FLOAT_EQ(*std::max_element(l->voxels.begin(), l->voxels.end()), 1.254F);  // pydicom: stored 1254000 * 1e-6
}

TEST(DicomParametricMap, FloatingPointValuesBecomeAVolume) {
  const auto l = load_here(data / "modalities" / "parametric_map_float.dcm", {});
  EXPECT_EQ(l->plan.grid.nx, 128);
  EXPECT_FLOAT_EQ(*std::max_element(l->voxels.begin(), l->voxels.end()), 0.941579163F);  // pydicom
}

}  // namespace
