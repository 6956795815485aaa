// Studies that are wrong, as the user of the command meets them: what isocenter run says of a folder, with which exit
// code it ends, what inspect calls the fault, and what is loaded all the same.
#include <gmock/gmock.h>

#include "command_process.hpp"
#include "dicom/synthetic_series.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const fs::path data = ISOCENTER_DICOM_TEST_DATA;

/// A pipeline that reads ${input} as a series and writes the sum of its voxels.
class BadStudy : public CommandTest {
 protected:
  Finished load(const fs::path& input, const std::vector<std::string>& remedies = {}) const {
    const std::string file = write("study.yaml", R"(isocenter: 1
nodes:
  - {name: series, operator: dicom_series_source, parameters: {path: "${input}"}}
  - {name: write, operator: test_text_sink, inputs: {input: series}, parameters: {path: "${output}/sum.txt"}}
)");
    std::vector<std::string> words = {"run", file, "-i", input.string(), "-o", path("out"), "--force"};
    for (const auto& remedy : remedies) words.insert(words.end(), {"--set", "series." + remedy});
    return command(words);
  }

  /// The run was refused as unusable input with one sentence of the node, which has all of `parts` in it and a fix.
  void expect_refused(const fs::path& input, int exit_code, const std::vector<std::string>& parts) const {
    const Finished f = load(input);
    EXPECT_EQ(f.exit_code, exit_code) << f.err;
    const std::string begin = "isocenter run: dicom_series_source 'series': ";
    const std::size_t at = f.err.find(begin);
    ASSERT_NE(at, std::string::npos) << f.err;
    const std::string line = f.err.substr(at, f.err.find('\n', at) - at);
    for (const auto& part : parts) EXPECT_THAT(line, HasSubstr(part));
    const std::size_t fix = line.find(" Fix: ");
    EXPECT_NE(fix, std::string::npos) << line;
    EXPECT_EQ(line.find(" Fix: ", fix + 1), std::string::npos) << line;
    EXPECT_THAT(files("out"), ElementsAre("report.json"));
    EXPECT_EQ(read_json(path("out/report.json")).at("exit_code"), exit_code);
  }

  /// isocenter inspect names the fault by its stable code.
  static void expect_finding(const fs::path& input, int exit_code, const std::string& code) {
    const Finished f = command({"inspect", input.string(), "--json"});
    EXPECT_EQ(f.exit_code, exit_code) << f.out;
    EXPECT_THAT(f.out, HasSubstr("\"code\": \"" + code + "\""));
    EXPECT_THAT(command({"inspect", input.string()}).out, HasSubstr(" " + code));
  }

  std::int64_t images() const {
    const auto report = read_json(path("out/report.json"));
    for (const auto& node : report.at("nodes"))
      if (node.at("name") == "series") return std::stoll(node.at("facts").at("images").get<std::string>());
    return -1;
  }
};

TEST_F(BadStudy, AFolderWithoutDicomEndsWith3) {
  write("in/notes.txt", "these are no images, only words");
  expect_refused(path("in"), 3, {"'" + path("in") + "' holds no DICOM file (1 file was looked at)"});
  expect_finding(path("in"), 3, "no_dicom");
}

TEST_F(BadStudy, TwoSeriesWhereOneIsAskedForEndWith2AndAreNamed) {
  SyntheticSlice other;
  other.series_uid = "1.2.3.5";
  other.series_number = "7";
  write_series(path("in/a"), 3);
  write_series(path("in/b"), 2, 0, 1, other);
  expect_refused(path("in"), 2,
                 {"'" + path("in") + "': 2 series could be loaded (5: CT, 3 images; 7: CT, 2 images)",
                  "parameter series", "SeriesNumber (0020,0011)", "SeriesInstanceUID (0020,000e)"});
  expect_finding(path("in"), 0, "several_series");
  EXPECT_EQ(load(path("in"), {"series=7"}).exit_code, 0);
  EXPECT_EQ(images(), 2);
}

TEST_F(BadStudy, MissingSlicesEndWith3AndTheirPositions) {
  write_series(path("in"), 6);
  fs::remove(path("in/s002.dcm"));
  fs::remove(path("in/s003.dcm"));
  expect_refused(path("in"), 3,
                 {"series 5", "2 slices are missing at -5, -2.5 mm", "ImagePositionPatient (0020,0032)",
                  "uneven_spacing = resample"});
  expect_finding(path("in"), 0, "missing_slices");
  EXPECT_EQ(load(path("in"), {"uneven_spacing=resample"}).exit_code, 0);
}

TEST_F(BadStudy, DuplicatedSlicesEndWith3AndTheirPosition) {
  write_series(path("in"), 4);
  SyntheticSlice again;
  again.position[2] = -7.5;
  again.instance_number = 77;
  write_slice(path("in/again.dcm"), again);
  expect_refused(path("in"), 3,
                 {"series 5", "more than one image lies at -7.5 mm", "ImagePositionPatient (0020,0032)",
                  "5 images, 4 positions", "again.dcm", "duplicates = keep_first"});
  expect_finding(path("in"), 0, "duplicate_slices");
  EXPECT_EQ(load(path("in"), {"duplicates=keep_first"}).exit_code, 0);
  EXPECT_EQ(images(), 4);
}

TEST_F(BadStudy, UnevenSpacingEndsWith3AndThePlaceOfTheStep) {
  const double z[] = {0, 2, 4, 6.7, 8.7, 10.7};
  fs::create_directory(path("in"));
  for (int i = 0; i < 6; ++i) {
    SyntheticSlice s;
    s.position[2] = z[i];
    s.instance_number = i + 1;
    write_slice(path("in/u" + std::to_string(i)), s);
  }
  expect_refused(path("in"), 3,
                 {"series 5", "the step is 2 mm, but 2.7 mm after 4 mm", "ImagePositionPatient (0020,0032)",
                  "uneven_spacing = resample"});
  expect_finding(path("in"), 0, "uneven_spacing");
  EXPECT_EQ(load(path("in"), {"uneven_spacing=resample"}).exit_code, 0);
}

TEST_F(BadStudy, MissingSlicesOfARealScanBesideItsScoutEndWith3) {
  expect_refused(data / "series_problems" / "ct_localizer_and_uneven_steps", 3,
                 {"slices are missing at 756.21, 758.21, 759.21", "uneven_spacing = resample"});
}

TEST_F(BadStudy, AGantryTiltEndsWith3AndItsAngle) {
  const fs::path tilted = data / "series_problems" / "ct_gantry_tilt";
  expect_refused(tilted, 3,
                 {"sheared by 18.5 degrees", "GantryDetectorTilt (0018,1120) = -18.5",
                  "ImagePositionPatient (0020,0032)", "gantry_tilt = shear"});
  expect_finding(tilted, 0, "gantry_tilt");
}

TEST_F(BadStudy, MixedOrientationsEndWith2AndTheirStacks) {
  write_series(path("in"), 3);
  SyntheticSlice coronal;
  coronal.orientation = {1, 0, 0, 0, 0, -1};
  for (int i = 0; i < 2; ++i) {
    coronal.position = {0, 4.0 * i, 0};
    coronal.instance_number = 10 + i;
    write_slice(path("in/c" + std::to_string(i)), coronal);
  }
  expect_refused(path("in"), 2,
                 {"series 5", "2 stacks", "ImageOrientationPatient (0020,0037)", "1\\0\\0\\0\\1\\0",
                  "1\\0\\0\\0\\0\\-1", "parameter stack"});
  expect_finding(path("in"), 0, "mixed_orientations");
  EXPECT_EQ(load(path("in"), {"stack=1"}).exit_code, 0);
  EXPECT_EQ(images(), 2);
  EXPECT_EQ(load(path("in"), {"stack=2"}).exit_code, 0);
  EXPECT_EQ(images(), 3);
}

TEST_F(BadStudy, ATruncatedFileEndsWith3AndItsNameAndTheOthersCanBeUsed) {
  write_series(path("in"), 5);
  cut_file(path("in/s004.dcm"), -20);
  expect_refused(path("in"), 3,
                 {"series 5", "'s004.dcm'", "64 of 84 bytes", "PixelData (7fe0,0010)", "bad_files = skip"});
  expect_finding(path("in"), 0, "truncated");
  const Finished f = load(path("in"), {"bad_files=skip"});
  EXPECT_EQ(f.exit_code, 0) << f.err;
  EXPECT_EQ(images(), 4);
  EXPECT_THAT(f.err, AllOf(HasSubstr("warning: dicom_series_source 'series': 's004.dcm'"), HasSubstr("Fix: ")));
}

TEST_F(BadStudy, ATruncatedFileAloneEndsWith3) {
  expect_refused(data / "malformed" / "MR_truncated.dcm", 3,
                 {"'MR_truncated.dcm'", "8130 of 8192 bytes", "PixelData (7fe0,0010)"});
}

TEST_F(BadStudy, ABadFileOfAnotherSeriesDoesNotStopAGoodOne) {
  write_series(path("in"), 4);
  fs::copy_file(data / "malformed" / "MR_truncated.dcm", path("in/MR_truncated.dcm"));
  write("in/broken.dcm", std::string(128, '\0') + "DICM and then nothing of sense");
  const Finished f = load(path("in"));
  EXPECT_EQ(f.exit_code, 0) << f.err;
  EXPECT_EQ(images(), 4);
  EXPECT_THAT(f.err, HasSubstr("warning: dicom_series_source 'series': 'broken.dcm'"));
}

TEST_F(BadStudy, ACompressionThatThisBuildCannotReadEndsWith3AndItsUid) {
  // JPEG 2000's UID becomes that of its part 2, which nothing here decodes.
  std::string bytes = read(data / "syntax" / "JPEG2000.dcm");
  const std::string uid = "1.2.840.10008.1.2.4.91";
  bytes.replace(bytes.find(uid), uid.size(), "1.2.840.10008.1.2.4.92");
  const fs::path file = path("part2.dcm");
  std::ofstream(file, std::ios::binary) << bytes;
  expect_refused(file, 3,
                 {"'part2.dcm'", "TransferSyntaxUID (0002,0010) = 1.2.840.10008.1.2.4.92", "convert the file"});
  expect_finding(file, 3, "unsupported_syntax");
}

TEST_F(BadStudy, AMissingRescaleEndsWith3AndBothAttributes) {
  SyntheticSlice s;
  s.remove = {0x00281052, 0x00281053};
  write_series(path("in"), 3, 0, 2, s);
  expect_refused(path("in"), 3,
                 {"series 5", "3 of 3 CT images have no RescaleSlope (0028,1053) and RescaleIntercept (0028,1052)",
                  "missing_rescale = identity"});
  expect_finding(path("in"), 0, "missing_rescale");
  EXPECT_EQ(load(path("in"), {"missing_rescale=identity"}).exit_code, 0);
}

TEST_F(BadStudy, NonSquarePixelsAreLoadedAndNamedByInspect) {
  SyntheticSlice s;
  s.row_spacing = 0.8;
  write_series(path("in"), 3, 0, 2, s);
  EXPECT_EQ(load(path("in")).exit_code, 0);
  expect_finding(path("in"), 0, "non_square_pixel");
  EXPECT_THAT(command({"inspect", path("in")}).out,
              AllOf(HasSubstr("0.5000 x 0.8000 x 2.0000 mm"), HasSubstr("PixelSpacing (0028,0030) = 0.8\\0.5")));
}

TEST_F(BadStudy, AScoutAloneEndsWith3AndIsLoadedWhenNamed) {
  SyntheticSlice scout;
  scout.orientation = {0, 1, 0, 0, 0, -1};
  scout.set = {{0x00080008, "ORIGINAL\\PRIMARY\\LOCALIZER"}};
  fs::create_directory(path("in"));
  write_slice(path("in/scout.dcm"), scout);
  expect_refused(path("in"), 3, {"holds no series that can be loaded: 1 image is a localiser", "name the series"});
  expect_finding(path("in"), 3, "localiser_set_aside");
  EXPECT_EQ(load(path("in"), {"series=5"}).exit_code, 0);
}

TEST_F(BadStudy, APixelSpacingOfZeroEndsWith3AndItsValue) {
  SyntheticSlice s;
  s.set = {{0x00280030, "0\\0.5"}};
  write_series(path("in"), 1, 0, 2, s);
  expect_refused(path("in"), 3, {"'s000.dcm'", "PixelSpacing (0028,0030) = '0\\0.5' is not two positive distances"});
}

}  // namespace
}  // namespace isocenter::testing
