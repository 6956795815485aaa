// docs/dicom/conformance.md is made from the code's own tables; this test fails when the page says something else.
// ISOCENTER_WRITE_CONFORMANCE=1 writes it anew.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "dicom/deidentification_table.hpp"
#include "dicom/frame_encoder.hpp"
#include "dicom/required_attributes.hpp"
#include "dicom/toolkit.hpp"
#include "dicom/uid.hpp"
#include "dicom/video/video_codec.hpp"

namespace {

using namespace isocenter::detail::dicom;
namespace fs = std::filesystem;

const fs::path page = fs::path(ISOCENTER_SOURCE_DIR) / "docs" / "dicom" / "conformance.md";
/// Sections that others write, each beside its own page.
std::string section(const char* file) {
  std::ifstream stream(fs::path(ISOCENTER_SOURCE_DIR) / "docs" / "dicom" / file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// The syntaxes of PS3.6 table A-1 for single images and documents.
const char* const syntaxes[] = {
    "1.2.840.10008.1.2",       "1.2.840.10008.1.2.1",     "1.2.840.10008.1.2.1.99",  "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.4.50",  "1.2.840.10008.1.2.4.51",  "1.2.840.10008.1.2.4.53",  "1.2.840.10008.1.2.4.55",
    "1.2.840.10008.1.2.4.57",  "1.2.840.10008.1.2.4.70",  "1.2.840.10008.1.2.4.80",  "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.4.90",  "1.2.840.10008.1.2.4.91",  "1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.101",
    "1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.103", "1.2.840.10008.1.2.4.104", "1.2.840.10008.1.2.4.105",
    "1.2.840.10008.1.2.4.106", "1.2.840.10008.1.2.4.107", "1.2.840.10008.1.2.4.108", "1.2.840.10008.1.2.4.110",
    "1.2.840.10008.1.2.4.112", "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203",
    "1.2.840.10008.1.2.5",     "1.2.840.10008.1.2.8.1"};

struct Written {
  const char* uid;
  const char* by;
  bool lossless;             ///< in every syntax of LosslessCompression
  const char* other_syntax;  ///< beside or instead of explicit little endian
};
const Written written[] = {
    {"1.2.840.10008.5.1.4.1.1.2", "dicom_series_sink", true, ""},
    {"1.2.840.10008.5.1.4.1.1.4", "dicom_series_sink", true, ""},
    {"1.2.840.10008.5.1.4.1.1.128", "dicom_series_sink", true, ""},
    {"1.2.840.10008.5.1.4.1.1.2.1", "dicom_series_sink", true, ""},
    {"1.2.840.10008.5.1.4.1.1.4.1", "dicom_series_sink", true, ""},
    {"1.2.840.10008.5.1.4.1.1.130", "dicom_series_sink", true, ""},
    {"1.2.840.10008.5.1.4.1.1.2.2", "dicom_series_sink", true, ""},
    {"1.2.840.10008.5.1.4.1.1.4.4", "dicom_series_sink", true, ""},
    {"1.2.840.10008.5.1.4.1.1.128.1", "dicom_series_sink", true, ""},
    {"1.2.840.10008.5.1.4.1.1.66.4", "dicom_seg_sink, dicom_report_sink", true, ""},
    {"1.2.840.10008.5.1.4.1.1.30", "dicom_parametric_map_sink", false, ""},
    {"1.2.840.10008.5.1.4.1.1.481.3", "dicom_structure_set_sink", false, "1.2.840.10008.1.2"},
    {"1.2.840.10008.5.1.4.1.1.88.34", "dicom_report_sink, dicom_detections_sink, dicom_classification_sink", false, ""},
    {"1.2.840.10008.5.1.4.1.1.11.1", "dicom_presentation_state_sink", false, ""},
    {"1.2.840.10008.5.1.4.1.1.104.1", "dicom_encapsulated_pdf_sink", false, ""},
    {"1.2.840.10008.5.1.4.1.1.7.4", "dicom_secondary_capture_sink", false,
     "1.2.840.10008.1.2.1, 1.2.840.10008.1.2.5, 1.2.840.10008.1.2.4.50"},
};

std::string written_syntaxes(const Written& w) {
  if (w.other_syntax[0] != '\0') return w.other_syntax;
  std::string all = transfer_syntax_uid(LosslessCompression::none);
  if (!w.lossless) return all;
  for (const auto c : {LosslessCompression::rle, LosslessCompression::jpeg_ls, LosslessCompression::jpeg_2000})
    all += std::string(", ") + transfer_syntax_uid(c);
  return all;
}

std::string statement() {
  std::ostringstream text;
  text << "# DICOM conformance statement\n\n"
          "In the shape of PS3.2 annex N. Written by `tests/dicom/conformance_test.cpp` from the tables of the code;\n"
          "a test fails when it is not. Do not edit: `ISOCENTER_WRITE_CONFORMANCE=1 dicom_tests\n"
          "--gtest_filter='DicomConformance*'`.\n\n"
          "## 1 Overview\n\n"
          "Isocenter is an SDK. A product that embeds it makes a statement of its own, for which this page is the\n"
          "material. Implementation class UID: `"
       << implementation_class_uid
       << "`. Implementation version name: `ISOCENTER_1`.\n\n"
          "## 2 Objects\n\n### 2.1 Written\n\n| SOP class | UID | operator | transfer syntaxes |\n|---|---|---|---|\n";
  for (const Written& w : written) {
    const ObjectRequirements* known = requirements_of(w.uid);
    text << "| " << (known != nullptr ? known->name : "?") << " | `" << w.uid << "` | " << w.by << " | "
         << written_syntaxes(w) << " |\n";
  }
  text << "\nSEG objects are compressed only when they are FRACTIONAL.\n\n### 2.2 Validated\n\n"
          "`dicom_validate` knows the unconditional attributes of these classes:\n\n"
          "| SOP class | type 1 | type 2 |\n|---|---|---|\n";
  for (const ObjectRequirements& r : all_requirements()) {
    int type_1 = 0, type_2 = 0;
    for (const RequiredAttribute& a : r.attributes) (a.type == 1 ? type_1 : type_2) += 1;
    text << "| " << r.name << " | " << type_1 << " | " << type_2 << " |\n";
  }
  text << "\n## 3 Transfer syntaxes\n\n| UID | name | pixels are read |\n|---|---|---|\n";
  for (const char* uid : syntaxes) {
    const TransferSyntax s = transfer_syntax(uid);
    const auto video = video_codec_of(uid);  // read by builds that have the codec; the page is the same for all
    text << "| `" << uid << "` | " << s.name << " | "
         << (video        ? *video == VideoCodec::h264 ? "without B slices, with OpenH264" : "with libde265"
             : s.readable ? "yes"
                          : "no")
         << " |\n";
  }
  text << "\n## 4 Network\n\n### 4.1 Associations\n\n"
       << section("conformance_network.md") << "\n### 4.2 Web services\n\n"
       << section("conformance_web.md");
  int counts[10] = {}, retained = 0;
  for (const ProfileRow& row : profile_rows()) {
    ++counts[static_cast<int>(row.basic)];
    retained += row.options[0] != '\0';
  }
  text
      << "\n## 5 Security: de-identification\n\n"
         "Basic Application Level Confidentiality Profile, table E.1-1 of "
      << profile_edition << ": " << profile_rows().size() << " attributes, " << retained
      << " of them with\noptions, and curves, overlays and private attributes.\n\n| action | attributes |\n|---|---|\n";
  const char* actions[] = {"X", "Z", "D", "U", "Z/D", "X/Z", "X/D", "X/Z/D", "X/Z/U*"};
  for (int i = 0; i < 9; ++i) text << "| " << actions[i] << " | " << counts[i] << " |\n";
  text
      << "\nOptions: Clean Pixel Data (113101), Clean Descriptors (113105), Retain Longitudinal Temporal Information\n"
         "with Full Dates (113106) or Modified Dates (113107), Retain Patient Characteristics (113108), Retain Device\n"
         "Identity (113109), Retain UIDs (113110), Retain Institution Identity (113112). Others are not supported.\n\n"
         "## 6 Character sets\n\n"
         "Read: what of PS3.3 C.12.1.1.2 DCMTK converts, ISO 2022 among them; the Japanese code extensions (JIS X\n"
         "0201, 0208, 0212) by the module itself. Written: the source's own; ISO_IR 192 (UTF-8) once a text beyond\n"
         "ASCII is added.\n";
  return text.str();
}

TEST(DicomConformance, EveryClassThatIsWrittenIsOneThatIsValidated) {
  std::set<std::string> uids;
  for (const Written& w : written) {
    EXPECT_NE(requirements_of(w.uid), nullptr) << w.uid;
    EXPECT_TRUE(uids.insert(w.uid).second) << w.uid;
  }
}

TEST(DicomConformance, TheStatementIsWhatTheCodeSays) {
  use_dcmtk();
  if (std::getenv("ISOCENTER_WRITE_CONFORMANCE") != nullptr) std::ofstream(page) << statement();
  std::ifstream stream(page);
  EXPECT_EQ(std::string((std::istreambuf_iterator<char>(stream)), {}), statement());
}

}  // namespace
