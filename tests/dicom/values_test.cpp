// What stored values become and where they lie, held to closed forms and to pydicom: tables, vendor scales, uptake
// values, sparse slides, ultrasound regions, enhanced objects of every kind, objects without a volume.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcfilefo.h>
#include <gmock/gmock.h>

#include <cmath>
#include <fstream>
#include <isocenter/dicom/dicom_frames_source.hpp>
#include <isocenter/error.hpp>
#include <isocenter/isocenter.hpp>
#include <map>
#include <sstream>

#include "dicom/inspect.hpp"
#include "dicom/load.hpp"
#include "dicom/pet_suv.hpp"
#include "dicom/read_slide.hpp"
#include "dicom/single_object.hpp"
#include "dicom/synthetic_series.hpp"

namespace {

namespace ic = isocenter;
namespace fs = std::filesystem;
using namespace isocenter::detail::dicom;
using namespace isocenter::testing;
using isocenter::Failure;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const fs::path values = fs::path(ISOCENTER_TEST_DATA) / "values";  // make_samples.py

struct Loaded {
  Report report;
  LoadPlan plan;
  std::vector<float> voxels;
};

std::unique_ptr<Loaded> load_here(const fs::path& path, ValueScale scale = ValueScale::none) {
  auto l = std::make_unique<Loaded>();
  l->report = inspect(path.string(), Workers());
  l->plan = plan_load(l->report, {});
  scale_values(l->plan, scale, Workers());
  const StackGeometry& g = l->plan.grid;
  l->voxels.resize(static_cast<std::size_t>(g.nx) * static_cast<std::size_t>(g.ny) * static_cast<std::size_t>(g.nz));
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

TEST(DicomValues, AModalityLutTakesThePlaceOfRescale) {
  const auto l = load_here(values / "modality_lut.dcm");
  EXPECT_EQ(l->plan.unit, "OD");
  // pydicom's apply_modality_lut: below the first entry the first, beyond the last the last.
  EXPECT_THAT(l->voxels, ElementsAre(10, 10, 10, 10, 10, 10, 20, 40, 80, 160, 320, 640, 1280, 1280, 1280, 1280, 1280,
                                     1280, 1280, 1280));
}

TEST(DicomValues, ASegmentedPaletteIsExpandedAsPydicomDoes) {
  const Image image = open_image((values / "segmented_palette.dcm").string());
  ASSERT_NE(image.palette, nullptr);
  const int expected[][4] = {// entry, red, green, blue of pydicom's apply_color_lut
                             {0, 0, 0, 30000},          {1, 1000, 1000, 30000},    {9, 9000, 9000, 30000},
                             {10, 9230, 10000, 30000},  {11, 9460, 11000, 30000},  {33, 14516, 33000, 30000},
                             {63, 21410, 63000, 30000}, {64, 21640, 62016, 30000}, {127, 36118, 0, 30000},
                             {128, 36348, 0, 30000},    {129, 36578, 1000, 30000}, {200, 52895, 54141, 30000},
                             {255, 65535, 0, 30000}};
  for (const auto& [entry, red, green, blue] : expected) {
    EXPECT_NEAR((*image.palette)[0][entry], red, 1) << entry;  // halves are rounded up here, to even there
    EXPECT_NEAR((*image.palette)[1][entry], green, 1) << entry;
    EXPECT_EQ((*image.palette)[2][entry], blue) << entry;
  }
}

TEST(DicomValues, PhilipsValuesAreDividedByBothSlopes) {
  const auto scaled = load_here(values / "philips_scale.dcm", ValueScale::philips_floating_point);
  const auto plain = load_here(values / "philips_scale.dcm");
  for (int stored = 0; stored < 20; ++stored) {
    const auto i = static_cast<std::size_t>(stored);
    EXPECT_FLOAT_EQ(plain->voxels[i], static_cast<float>(2 * stored + 3));
    EXPECT_FLOAT_EQ(scaled->voxels[i], static_cast<float>((2 * stored + 3) / (2 * 0.25)));
  }
  EXPECT_THAT(refusal_of([&] { load_here(values / "legacy_enhanced_mr.dcm", ValueScale::philips_floating_point); }),
              HasSubstr("MRScaleSlope (2005,100e)"));
}

/// One PET slice: 80 kg, 200 MBq at 10:00:00, half-life 6000 s, series and acquisition at 11:40:00.
struct PetSlice {
  std::vector<TagText> set;
  std::string start_time = "100000", start_date_time;
  bool drug = true;
};

std::string write_pet(const fs::path& file, const PetSlice& pet) {
  SyntheticSlice s;
  s.modality = "PT";
  s.set = {{0x00080021, "20260310"}, {0x00080031, "114000"},    {0x00080022, "20260310"}, {0x00080032, "114000"},
           {0x00101030, "80"},       {0x00281052, "0"},         {0x00281053, "1"},        {0x00541001, "BQML"},
           {0x00541102, "START"},    {0x00280051, "DECY\\ATTN"}};
  s.set.insert(s.set.end(), pet.set.begin(), pet.set.end());
  write_slice(file, s);
  if (!pet.drug) return file.string();
  DcmFileFormat format;
  format.loadFile(OFFilename(file.c_str()));
  DcmItem* drug = nullptr;
  format.getDataset()->findOrCreateSequenceItem(DCM_RadiopharmaceuticalInformationSequence, drug, 0);
  if (!pet.start_time.empty()) drug->putAndInsertString(DCM_RadiopharmaceuticalStartTime, pet.start_time.c_str());
  if (!pet.start_date_time.empty())
    drug->putAndInsertString(DCM_RadiopharmaceuticalStartDateTime, pet.start_date_time.c_str());
  drug->putAndInsertString(DCM_RadionuclideTotalDose, "200000000");
  drug->putAndInsertString(DCM_RadionuclideHalfLife, "6000");
  format.saveFile(OFFilename(file.c_str()));
  return file.string();
}

double suv_of(const PetSlice& pet) {
  const ScratchFolder folder;
  return suv_body_weight({write_pet(folder / "a", pet)}, Workers()).factor;
}
std::string suv_refusal(const PetSlice& pet) {
  return refusal_of([&] { suv_of(pet); });
}

TEST(DicomValues, UptakeOfBecquerelsDecaysToTheScansStart) {
  constexpr double undecayed = 80000 / 200e6;
  // 6000 s from 10:00 to 11:40 are one half-life.
  EXPECT_DOUBLE_EQ(suv_of({}), 2 * undecayed);
  EXPECT_DOUBLE_EQ(suv_of({.start_time = "1000"}), 2 * undecayed) << "a time without seconds";
  EXPECT_DOUBLE_EQ(suv_of({.start_time = "", .start_date_time = "20260310100000.00+0100"}), 2 * undecayed);
  EXPECT_DOUBLE_EQ(suv_of({.start_date_time = "20260310082000"}), 4 * undecayed) << "the date and time, not the time";
  EXPECT_DOUBLE_EQ(suv_of({.set = {{0x00541102, "ADMIN"}}}), undecayed) << "corrected to the administration";
  EXPECT_NEAR(suv_of({.start_time = "095959.5"}), 2 * undecayed * std::exp2(0.5 / 6000), 1e-12);
}

TEST(DicomValues, UptakeThatIsStoredIsTaken) {
  EXPECT_DOUBLE_EQ(suv_of({.set = {{0x00541001, "GML"}}, .drug = false}), 1);
  EXPECT_DOUBLE_EQ(suv_of({.set = {{0x00541001, "GML"}, {0x00541006, "BW"}}, .drug = false}), 1);
  EXPECT_THAT(suv_refusal({.set = {{0x00541001, "GML"}, {0x00541006, "LBM"}}}), HasSubstr("SUVType (0054,1006)"));
}

TEST(DicomValues, UptakeOfPhilipsCountsIsByThePrivateFactor) {
  const ScratchFolder folder;
  const std::string file = write_pet(folder / "a", {.set = {{0x00541001, "CNTS"}}});
  DcmFileFormat format;
  format.loadFile(OFFilename(file.c_str()));
  format.getDataset()->putAndInsertString(DcmTag(0x7053, 0x0010, EVR_LO), "Philips PET Private Group");
  format.getDataset()->putAndInsertString(DcmTag(0x7053, 0x1000, EVR_DS), "0.000551");
  format.saveFile(OFFilename(file.c_str()));
  EXPECT_DOUBLE_EQ(suv_body_weight({file}, Workers()).factor, 0.000551);
}

TEST(DicomValues, UptakeThatCannotBeComputedNamesWhatIsMissing) {
  EXPECT_THAT(suv_refusal({.set = {{0x00541001, "PROPCPS"}}}), HasSubstr("Units (0054,1001) = 'PROPCPS'"));
  EXPECT_THAT(suv_refusal({.set = {{0x00280051, "DECY"}}}),
              HasSubstr("CorrectedImage (0028,0051) = 'DECY' lacks ATTN"));
  EXPECT_THAT(suv_refusal({.drug = false}), HasSubstr("RadiopharmaceuticalInformationSequence (0054,0016) is missing"));
  EXPECT_THAT(suv_refusal({.start_time = ""}), HasSubstr("RadiopharmaceuticalStartTime (0018,1072) are missing"));
  EXPECT_THAT(suv_refusal({.start_time = "120000"}), HasSubstr("to the scan is -1200 s"));
}

TEST(DicomValues, ASparseSlideIsPutTogetherByPositionAndWhiteWhereItHasNoTile) {
  for (const bool sparse : {false, true}) {
    const Slide slide =
        open_slide((values / ".." / "slides" / (sparse ? "sparse_without_one_tile.dcm" : "full.dcm")).string());
    ASSERT_EQ(slide.columns, 50);
    ASSERT_EQ(slide.rows, 30);
    for (const SlideRegion& r : {SlideRegion{0, 0, 50, 30}, {13, 9, 30, 20}, {49, 29, 1, 1}}) {
      std::vector<std::uint8_t> rgb(3 * static_cast<std::size_t>(r.width * r.height));
      read_region(
          slide, r, Workers(), [] {}, rgb);
      for (int y = 0; y < r.height; ++y)
        for (int x = 0; x < r.width; ++x) {
          const int px = r.x + x, py = r.y + y;
          const bool missing = sparse && px / 16 == 2 && py / 16 == 1;
          const std::uint8_t* p = rgb.data() + 3 * (y * r.width + x);
          const std::array<int, 3> expected =
              missing ? std::array{255, 255, 255} : std::array{3 * px & 255, 5 * py & 255, px ^ py};
          ASSERT_EQ((std::array<int, 3>{p[0], p[1], p[2]}), expected) << sparse << " " << px << " " << py;
        }
    }
  }
}

TEST(DicomValues, UltrasoundRegionsAreFactsWithTheirUnits) {
  isocenter_context_options options{};
  options.struct_size = sizeof options;
  options.flags = ISOCENTER_CONTEXT_NO_MODULES;
  ic::Context context(options);
  context.load_module(std::string(ISOCENTER_MODULE_DIR) + "/isocenter_dicom.so");
  ic::Pipeline pipeline(context);
  const auto source = pipeline.add<ic::DicomFramesSource>("us", {.path = (values / "ultrasound_regions.dcm").string()});
  pipeline.add_output("frames", source.output);
  const std::string report = pipeline.prepare().report();
  // Units 3 are cm, 7 cm/s: PS3.3 C.8.5.5.1.15.
  for (const char* expected :
       {R"(\"RegionSpatialFormat\": 1, \"RegionDataType\": 1, \"RegionFlags\": 0, \"RegionLocationMinX0\": 0)",
        R"(\"PhysicalUnitsXDirection\": 3, \"PhysicalUnitsYDirection\": 3, \"PhysicalDeltaX\": 0.05, )"
        R"(\"PhysicalDeltaY\": 0.0625}, {)",
        R"(\"RegionLocationMinX0\": 8, \"RegionLocationMinY0\": 0, \"RegionLocationMaxX1\": 15)",
        R"(\"PhysicalUnitsXDirection\": 4, \"PhysicalUnitsYDirection\": 7, \"PhysicalDeltaX\": 0.002, )"
        R"(\"PhysicalDeltaY\": -1.5}])"})
    EXPECT_THAT(report, HasSubstr(expected));
}

TEST(DicomValues, EnhancedAndLegacyConvertedObjectsAreVolumesByPosition) {
  for (const char* name :
       {"enhanced_pet.dcm", "legacy_enhanced_pet.dcm", "legacy_enhanced_ct.dcm", "legacy_enhanced_mr.dcm"}) {
    const auto l = load_here(values / name);
    const StackGeometry& g = l->plan.grid;
    ASSERT_EQ(g.nx, 5) << name;
    ASSERT_EQ(g.ny, 4);
    ASSERT_EQ(g.nz, 4);
    EXPECT_NEAR(g.dx_mm, 0.25, 1e-9);
    EXPECT_NEAR(g.dy_mm, 0.5, 1e-9);
    EXPECT_NEAR(g.dz_mm, 2.5, 1e-5);
    EXPECT_NEAR(g.origin.x, 10, 1e-6);
    EXPECT_NEAR(g.normal.x, -0.6, 1e-9);  // (0.8, 0.6, 0) x (0, 0, -1)
    EXPECT_NEAR(g.normal.y, 0.8, 1e-9);
    for (int z = 0; z < 4; ++z)
      for (int y = 0; y < 4; ++y)
        for (int x = 0; x < 5; ++x)
          ASSERT_FLOAT_EQ(l->voxels[static_cast<std::size_t>((z * 4 + y) * 5 + x)],
                          static_cast<float>(2 * (100 * z + 10 * y + x) - 5 - z))
              << name << " " << x << " " << y << " " << z;
  }
}

/// Numbers of a value that is there, dashes of one that is not.
std::string differing(const std::optional<std::vector<double>>& ours, std::istream& expected, std::size_t count) {
  std::string said;
  for (std::size_t i = 0; i < count; ++i) {
    std::string word;
    expected >> word;
    const bool same = word == "-" ? !ours : ours && std::fabs((*ours)[i] - std::stod(word)) <= 1e-4;
    if (!same) said += " " + std::to_string(i) + ": " + (ours ? std::to_string((*ours)[i]) : "-") + " and " + word;
  }
  return said;
}
std::optional<std::vector<double>> listed(const std::optional<Vec3>& v) {
  if (!v) return std::nullopt;
  return std::vector{v->x, v->y, v->z};
}

TEST(DicomValues, EveryFrameOfEveryFileLiesWherePydicomFindsIt) {
  const fs::path data = ISOCENTER_TEST_DATA;
  std::ifstream in(data / "expected_geometry.txt");  // make_expected_geometry.py
  std::map<std::string, Report> reports;
  int frames = 0;
  for (std::string line; std::getline(in, line); ++frames) {
    std::istringstream words(line);
    std::string file;
    std::size_t number = 0;
    words >> file >> number;
    if (reports.find(file) == reports.end()) reports.emplace(file, inspect((data / file).string(), Workers()));
    const Report& report = reports.at(file);
    ASSERT_EQ(report.images.size(), 1U) << file;
    if (report.images.front().frames.size() <= number) {  // a video has no frames here
      EXPECT_NE(report.images.front().unusable, "") << line;
      continue;
    }
    const isocenter::detail::dicom::Frame& f = report.images.front().frames[number];
    EXPECT_EQ(differing(listed(f.position), words, 3), "") << line;
    EXPECT_EQ(differing(listed(f.row_direction), words, 3), "") << line;
    EXPECT_EQ(differing(listed(f.column_direction), words, 3), "") << line;
    const bool spaced = f.row_spacing_mm > 0;
    EXPECT_EQ(
        differing(spaced ? std::optional(std::vector{f.row_spacing_mm, f.column_spacing_mm}) : std::nullopt, words, 2),
        "")
        << line;
  }
  EXPECT_EQ(frames, 206);
}

TEST(DicomValues, ADocumentIsListedWithItsTypeAndTitle) {
  const Report report = inspect((values / "document.dcm").string(), Workers());
  ASSERT_FALSE(report.findings.empty());
  EXPECT_THAT(to_lines(report), HasSubstr("a document, application/pdf, 'Findings'"));
}

}  // namespace
