// Headers as a volume's user reads them, against what pydicom reads (make_expected_headers.py).
#include <gmock/gmock.h>

#include <cmath>
#include <fstream>
#include <isocenter/dicom/dicom_header.hpp>
#include <isocenter/dicom/dicom_inspect.hpp>
#include <isocenter/dicom/dicom_series_sink.hpp>
#include <isocenter/dicom/dicom_series_source.hpp>
#include <isocenter/isocenter.hpp>
#include <map>

#include "dicom/header_text.hpp"
#include "dicom/synthetic_series.hpp"

namespace {

namespace ic = isocenter;
namespace fs = std::filesystem;
using namespace isocenter::testing;
using isocenter::detail::dicom::header_text;
using ::testing::HasSubstr;
using ::testing::Not;

const fs::path data = ISOCENTER_TEST_DATA;

std::vector<std::string> split(std::string text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t at; (at = text.find(separator)) != std::string::npos; text.erase(0, at + 1))
    parts.push_back(text.substr(0, at));
  parts.push_back(text);
  return parts;
}

/// Equal as text without padding, or as numbers to the last digit that a float has.
bool same_value(const std::string& a, const std::string& b) {
  const auto p = split(a, '\\'), q = split(b, '\\');
  if (p.size() != q.size()) return false;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const auto bare = [](std::string s) {
      s.erase(0, s.find_first_not_of(' '));
      s.erase(s.find_last_not_of(" =") + 1);  // padding, and empty component groups at a name's end
      return s;
    };
    const std::string x = bare(p[i]), y = bare(q[i]);
    if (x == y) continue;
    char *x_end = nullptr, *y_end = nullptr;
    const double u = std::strtod(x.c_str(), &x_end), v = std::strtod(y.c_str(), &y_end);
    if (x.empty() || y.empty() || *x_end != 0 || *y_end != 0 || std::fabs(u - v) > 1e-6 * std::fabs(v)) return false;
  }
  return true;
}

TEST(DicomHeaderText, EveryElementIsWhatPydicomReads) {
  std::ifstream in(data / "expected_headers.txt");
  std::map<std::string, ic::DicomHeader> headers;
  int compared = 0;
  for (std::string line; std::getline(in, line); ++compared) {
    const auto parts = split(line, '\t');
    ASSERT_EQ(parts.size(), 3U) << line;
    auto found = headers.find(parts[0]);
    if (found == headers.end())
      found = headers.emplace(parts[0], ic::DicomHeader(header_text((data / parts[0]).string(), 0))).first;
    const auto* element = found->second.find(parts[1]);
    if (element == nullptr)
      ADD_FAILURE() << parts[0] << ": " << parts[1] << " is missing";
    else
      EXPECT_TRUE(same_value(element->value, parts[2]))
          << parts[0] << ": " << parts[1] << " = '" << element->value << "', pydicom has '" << parts[2] << "'";
  }
  EXPECT_GT(compared, 800);
}

ic::Context context_with_dicom() {
  isocenter_context_options options{};
  options.struct_size = sizeof options;
  options.flags = ISOCENTER_CONTEXT_NO_MODULES;
  ic::Context context(options);
  context.load_module(std::string(ISOCENTER_MODULE_DIR) + "/isocenter_dicom.so");
  return context;
}

ic::Volume load_series(const fs::path& path) {
  const ic::Context context = context_with_dicom();
  ic::Pipeline pipeline(context);
  const auto source = pipeline.add<ic::DicomSeriesSource>("study", {.path = path.string()});
  pipeline.add_output("volume", source.output);
  ic::Session session = pipeline.prepare();
  session.start();
  auto item = session.pull("volume");
  if (!item) session.wait();
  return ic::Volume(context.copy_to(*item, "cpu"));
}

TEST(DicomHeader, AVolumeCarriesItsTypedHeader) {
  const ScratchFolder folder;
  SyntheticSlice like;
  like.set = {{0x00100010, "Doe^Jane"},   {0x00101030, "61.5"},     {0x00180060, "120"},  {0x00181151, "250"},
              {0x00181150, "500"},        {0x00181152, "125"},      {0x00181210, "B30f"}, {0x00080070, "Maker"},
              {0x00080022, "20260102"},   {0x00080032, "101112.5"}, {0x00185100, "HFS"},  {0x00181160, "WEDGE"},
              {0x00080090, "Ref^Doctor"}, {0x00181120, "0"},        {0x00201040, "XY"}};
  write_series(folder.path(), 3, 0, 2, like);
  const ic::DicomHeader header(load_series(folder.path()));
  EXPECT_EQ(header.patient().name, "Doe^Jane");
  EXPECT_EQ(header.patient().weight_kg, 61.5);
  EXPECT_EQ(header.equipment().manufacturer, "Maker");
  EXPECT_EQ(header.study().referring_physician, "Ref^Doctor");
  EXPECT_EQ(header.series().patient_position, "HFS");
  const auto acquisition = header.acquisition();
  EXPECT_EQ(acquisition.tube_voltage_kv, 120);
  EXPECT_EQ(acquisition.tube_current_ma, 250);
  EXPECT_EQ(acquisition.exposure_time_ms, 500);
  EXPECT_EQ(acquisition.exposure_mas, 125);
  EXPECT_EQ(acquisition.kernel, "B30f");
  EXPECT_EQ(acquisition.filter, "WEDGE");
  EXPECT_EQ(acquisition.date, "20260102");
  EXPECT_EQ(acquisition.time, "101112.5");
  EXPECT_EQ(acquisition.echo_time_ms, std::nullopt);
  EXPECT_EQ(header.frame_of_reference().position_reference, "XY");
  for (const char* name : {"KVP", "(0018,0060)", "0018,0060", "00180060"}) EXPECT_EQ(header.text(name), "120") << name;
  EXPECT_EQ(header.number("PixelSpacing", 1), 0.5);
  EXPECT_EQ(header.number("PixelSpacing", 2), std::nullopt);
  EXPECT_EQ(header.text("NoSuchKeyword"), "");
}

TEST(DicomHeader, AnEnhancedMrGivesItsFunctionalGroups) {
  // Truth: pydicom's SharedFunctionalGroupsSequence and PerFrameFunctionalGroupsSequence of this file.
  const ic::DicomHeader header(header_text((data / "modalities" / "emr_xa10_siemens.dcm").string(), 0));
  const auto acquisition = header.acquisition();
  EXPECT_EQ(acquisition.repetition_time_ms, header.number("SharedFunctionalGroupsSequence[1]."
                                                          "MRTimingAndRelatedParametersSequence[1].RepetitionTime"));
  EXPECT_TRUE(acquisition.repetition_time_ms.has_value());
  EXPECT_TRUE(acquisition.echo_time_ms.has_value());
  EXPECT_TRUE(acquisition.flip_angle_deg.has_value());
  EXPECT_TRUE(acquisition.field_strength_t.has_value());
  EXPECT_EQ(acquisition.date.size(), 8U);
}

TEST(DicomHeader, ARadiopharmaceuticalIsInBecquerelAndSeconds) {
  const std::string in = "00540016[1].", word = "RadiopharmaceuticalInformationSequence[1].";
  std::string text = "00080060\tModality\tCS\tPT\n";
  text += in + "00181074\t" + word + "RadionuclideTotalDose\tDS\t370000000\n";
  text += in + "00181075\t" + word + "RadionuclideHalfLife\tDS\t6586.2\n";
  text += in + "00180031\t" + word + "Radiopharmaceutical\tLO\tFDG\n";
  EXPECT_EQ(ic::DicomHeader(text).radiopharmaceutical().total_dose_bq, 3.7e8);
  EXPECT_EQ(ic::DicomHeader(text).radiopharmaceutical().half_life_s, 6586.2);
  EXPECT_EQ(ic::DicomHeader(text).radiopharmaceutical().name, "FDG");
  const std::string enhanced = "00080016\tSOPClassUID\tUI\t1.2.840.10008.5.1.4.1.1.130\n" + text;  // Enhanced PET: MBq
  EXPECT_EQ(ic::DicomHeader(enhanced).radiopharmaceutical().total_dose_bq, 3.7e14);
  text.replace(text.find("PT"), 2, "NM");  // PS3.3 C.8.4.10: MBq
  EXPECT_EQ(ic::DicomHeader(text).radiopharmaceutical().total_dose_bq, 3.7e14);
}

TEST(DicomHeader, TextOfSeveralLinesComesBackWhole) {
  const ScratchFolder folder;
  SyntheticSlice s;
  s.set = {{0x00204000, "first\r\nsecond\tthird"}};
  write_slice(folder / "a.dcm", s);
  EXPECT_EQ(ic::DicomHeader(header_text((folder / "a.dcm").string(), 0)).text("ImageComments"),
            "first\r\nsecond\tthird");
}

constexpr const char* yamada =
    "Yamada^Tarou=\xE5\xB1\xB1\xE7\x94\xB0^\xE5\xA4\xAA\xE9\x83\x8E="
    "\xE3\x82\x84\xE3\x81\xBE\xE3\x81\xA0^\xE3\x81\x9F\xE3\x82\x8D\xE3\x81\x86";

/// Slices of the patient of PS3.5 H.3.1: JIS X 0208 by code extension.
void write_japanese_series(const fs::path& folder) {
  SyntheticSlice like;
  like.set = {{0x00080005, "\\ISO 2022 IR 87"},
              {0x00100010, "Yamada^Tarou=\x1B$B;3ED\x1B(B^\x1B$BB@O:\x1B(B=\x1B$B$d$^$@\x1B(B^\x1B$B$?$m$&\x1B(B"}};
  write_series(folder, 3, 0, 2, like);
}

/// The header of the first slice of the series that a sink makes from the series in `from`.
ic::DicomHeader derived(const fs::path& from, const fs::path& to, const std::string& description) {
  const ic::Context context = context_with_dicom();
  ic::Pipeline pipeline(context);
  const auto source = pipeline.add<ic::DicomSeriesSource>("study", {.path = from.string()});
  const auto sink = pipeline.add<ic::DicomSeriesSink>("sink", {.path = to.string(), .series_description = description});
  pipeline.connect(source.output, sink.input);
  ic::Session session = pipeline.prepare();
  session.start();
  session.wait();
  for (const auto& file : fs::directory_iterator(to)) return ic::DicomHeader(header_text(file.path().string(), 0));
  return ic::DicomHeader("");
}

TEST(DicomCharacterSet, Iso2022IsReadAndGoesIntoWhatIsWritten) {
  const ScratchFolder folder;
  write_japanese_series(folder / "in");
  EXPECT_EQ(ic::DicomHeader(load_series(folder / "in")).patient().name, yamada);
  const ic::DicomHeader kept = derived(folder / "in", folder / "plain", "smoothed");
  EXPECT_EQ(kept.text("SpecificCharacterSet"), "\\ISO 2022 IR 87");
  EXPECT_EQ(kept.patient().name, yamada);
  const ic::DicomHeader turned = derived(folder / "in", folder / "utf8", "gegl\xC3\xA4ttet");
  EXPECT_EQ(turned.text("SpecificCharacterSet"), "ISO_IR 192");
  EXPECT_EQ(turned.patient().name, yamada);
  EXPECT_EQ(turned.series().description, "gegl\xC3\xA4ttet");
}

std::string inspected(const ic::DicomInspect::Params& params) {
  const ic::Context context = context_with_dicom();
  ic::Pipeline pipeline(context);
  pipeline.add<ic::DicomInspect>("inspect", params);
  return pipeline.prepare().report();
}

TEST(DicomHeader, InspectShowsItOnlyWhereAsked) {
  const ScratchFolder folder;
  SyntheticSlice like;
  like.set = {{0x00100010, "Doe^Jane"}, {0x00180060, "120"}};
  write_series(folder.path(), 2, 0, 2, like);
  EXPECT_THAT(inspected({.path = folder.string()}), Not(HasSubstr("Doe")));
  const std::string typed = inspected({.path = folder.string(), .header = true});
  EXPECT_THAT(typed, HasSubstr("patient: name Doe^Jane"));
  EXPECT_THAT(typed, HasSubstr("tube_voltage_kv 120"));
  const std::string named = inspected({.path = folder.string(), .attributes = "KVP 0028,0010 FlipAngle"});
  EXPECT_THAT(named, HasSubstr("KVP (00180060) = 120"));
  EXPECT_THAT(named, HasSubstr("0028,0010 (00280010) = 6"));
  EXPECT_THAT(named, HasSubstr("FlipAngle is not there"));
  EXPECT_THAT(named, Not(HasSubstr("Doe")));
}

TEST(DicomHeader, InspectRefusesWhatIsNoAttributeAndTakesPathsAndPrivateTags) {
  const ScratchFolder folder;
  write_series(folder.path(), 1);
  const auto error = [&](const char* attributes) -> std::string {
    try {
      inspected({.path = folder.string(), .attributes = attributes});
    } catch (const ic::Error& e) {
      return e.what();
    }
    return {};
  };
  EXPECT_THAT(error("KVP Flipangel"),
              HasSubstr("attributes has 'Flipangel', and 'Flipangel' is neither a keyword of PS3.6 nor a tag. Fix: "));
  EXPECT_THAT(error("CTDIPhantomTypeCodeSequence[1].Value"), HasSubstr("and 'Value' is neither"));
  EXPECT_THAT(error("CTDIPhantomTypeCodeSequence[1]..CodeValue"), HasSubstr("and '' is neither"));
  EXPECT_EQ(error("0019,10B0 (0018,0060) 00180060 CTDIPhantomTypeCodeSequence[1].CodeValue 00189346[1].00080100"), "");
}

}  // namespace
