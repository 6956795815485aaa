// Reading files that other programs wrote (nibabel, SimpleITK). data/make_fixtures.py made them and says what they
// hold.
#include <cstring>
#include <limits>
#include <sstream>

#include "io/image_file.hpp"
#include "io/voxel_reader.hpp"
#include "io_test.hpp"

namespace isocenter::detail::io {
namespace {
using namespace io_test;

std::vector<float> read_all(const fs::path& path, NonFinite non_finite = NonFinite::refuse) {
  VoxelReader reader(read_image_info(path));
  std::vector<float> values(static_cast<std::size_t>(reader.info().voxels()));
  reader.read(values, non_finite, [](double) {});
  return values;
}

std::vector<std::uint8_t> read_all_labels(const fs::path& path) {
  VoxelReader reader(read_image_info(path));
  std::vector<std::uint8_t> labels(static_cast<std::size_t>(reader.info().voxels()));
  reader.read_labels(labels, [](double) {});
  return labels;
}

/// The bytes of a fixture up to a part of its size, in a folder under the same name.
fs::path truncated(const TemporaryFolder& folder, const std::string& name, double part) {
  std::vector<char> bytes = bytes_of(fixture(name));
  bytes.resize(static_cast<std::size_t>(static_cast<double>(bytes.size()) * part));
  write_bytes(folder / name, bytes);
  return folder / name;
}

fs::path written(const TemporaryFolder& folder, const std::string& name, const std::string& text) {
  write_bytes(folder / name, {text.begin(), text.end()});
  return folder / name;
}

TEST(ImageReading, GivesThePositionsTimesAndValuesThatOtherProgramsSee) {
  std::ifstream expected(fixture("expected.txt"));
  std::string line;
  int checked = 0;
  while (std::getline(expected, line)) {
    std::istringstream fields(line);
    std::string file;
    double i, j, k, t, x, y, z, time, value;
    ASSERT_TRUE(fields >> file >> i >> j >> k >> t >> x >> y >> z >> time >> value) << line;
    const ImageInfo info = read_image_info(fixture(file));
    const auto at = info.geometry.position_mm(i, j, k);
    // NIfTI stores its geometry as float32: the quaternion's rounding moves a voxel at 13 mm by about 1e-6 of that.
    const double tolerance = info.path.string().find(".nii") == std::string::npos ? 1e-9 : 2e-4;
    EXPECT_NEAR(at[0], x, tolerance) << line;
    EXPECT_NEAR(at[1], y, tolerance) << line;
    EXPECT_NEAR(at[2], z, tolerance) << line;
    if (info.has_time) {
      EXPECT_NEAR(info.geometry.time_origin_s + t * info.geometry.time_step_s, time, 1e-6) << line;
    }
    EXPECT_EQ(info.size[0], 5);
    EXPECT_EQ(info.size[1], 4);
    EXPECT_EQ(info.size[2], 3);
    const auto index = static_cast<std::size_t>(i + 5 * (j + 4 * (k + 3 * t)));
    EXPECT_EQ(read_all(fixture(file)).at(index), static_cast<float>(value)) << line;
    ++checked;
  }
  EXPECT_EQ(checked, 90);
}

TEST(ImageReading, NamesTheStoredType) {
  EXPECT_EQ(read_image_info(fixture("oblique_int16.mhd")).type, VoxelType::int16);
  EXPECT_EQ(read_image_info(fixture("left_handed_float64.nii.gz")).type, VoxelType::float64);
  EXPECT_EQ(read_image_info(fixture("oblique_uint16_compressed.nrrd")).type, VoxelType::uint16);
}

TEST(ImageReading, ReadsLabels) {
  const auto labels = read_all_labels(fixture("quaternion_only_uint8.nii"));
  EXPECT_EQ(labels[4 + 5 * (3 + 4 * 2)], 234);
}

TEST(ImageReading, RefusesLabelsThatAreNotSmallWholeNumbers) {
  expect_failure([] { read_all_labels(fixture("oblique_scaled_int16.nii.gz")); }, ErrorCode::bad_data,
                 {"oblique_scaled_int16.nii.gz", "the label -1024", "voxel (0, 0, 0)", "image_source"});
}

TEST(ImageReading, SaysWhetherTheFileHasAnOrientation) {
  EXPECT_FALSE(read_image_info(fixture("no_orientation.nii")).has_orientation);
  EXPECT_TRUE(read_image_info(fixture("quaternion_only_uint8.nii")).has_orientation);
}

TEST(ImageReading, ReportsProgressBetweenPieces) {
  VoxelReader reader(read_image_info(fixture("oblique_float.mha")));
  std::vector<float> values(60);
  int calls = 0;
  reader.read(values, NonFinite::refuse, [&](double part) {
    EXPECT_GE(part, 0);
    EXPECT_LT(part, 1);
    ++calls;
  });
  EXPECT_EQ(calls, 1);
}

TEST(ImageReading, RefusesAnUnknownEnding) {
  expect_failure([] { read_image_info("scan.tiff"); }, ErrorCode::unsupported, {"'scan.tiff'", ".nii.gz", ".nrrd"});
}

TEST(ImageReading, RefusesHeadersThatMakeNoSense) {
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& name, const std::string& text, const std::string& part) {
    const auto path = written(folder, name, text);
    expect_failure([&] { read_image_info(path); }, ErrorCode::bad_data, {name, part});
  };
  const std::string end = "ElementType = MET_UCHAR\nElementDataFile = LOCAL\nx";
  refused("a.mha", "NDims = 3\nDimSize = 1 1 x\n" + end, "DimSize = '1 1 x', where 3 whole numbers are needed");
  refused("b.mha", "NDims = 3\nDimSize = 1 1 -1\n" + end, "an axis of -1 voxels");
  refused("c.mha", "NDims = 3\nDimSize = 9999999999 9999999999 9999999999\n" + end, "an axis of 9999999999 voxels");
  refused("d.mha", "NDims = 3\nDimSize = 1 1 1\nElementSpacing = 1 0 1\n" + end, "spacing 0 mm");
  refused("e.mha", "NDims = 3\nDimSize = 1 1 1\nElementSpacing = 1 nan 1\n" + end, "spacing nan mm");
  refused("f.mha", "NDims = 3\nDimSize = 1 1 1\nTransformMatrix = 1 0 0 0 1 0 0 0\n" + end,
          "where 9 numbers are needed");
  refused("g.nrrd", "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 1 1 1\nspace: LPS\nspace directions: (1,0,0 (0,1,0)\n",
          "space directions");
  refused("h.nrrd", "NRRD0004\ntype: short\ndimension: 3\nsizes: 1 1 1\nencoding: raw\n\nab", "endian is missing");
  refused("i.nrrd",
          "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 1 1 1\nspace: LPS\n"
          "space directions: (0,0,0) (0,1,0) (0,0,1)\nencoding: raw\n\na",
          "spacing 0 mm");
}

TEST(ImageReading, RefusesAMissingFileAndAFolder) {
  const TemporaryFolder folder;
  for (const char* name : {"none.nii", "none.nii.gz", "none.mha", "none.nrrd"})
    expect_failure([&] { read_image_info(folder / name); }, ErrorCode::not_found, {name, "No such file"});
  fs::create_directory(folder / "folder.nii");
  expect_failure([&] { read_image_info(folder / "folder.nii"); }, ErrorCode::io_error,
                 {"folder.nii", "Is a directory"});
}

TEST(ImageReading, RefusesTruncatedFiles) {
  const TemporaryFolder folder;
  for (const char* name : {"big_endian_4d_msec.nii", "oblique_float.mha", "oblique_float_compressed.mha",
                           "oblique_scaled_int16.nii.gz", "oblique_uint16_compressed.nrrd", "series_float.nrrd"})
    expect_failure([&] { read_all(truncated(folder, name, 0.93)); }, ErrorCode::bad_data,
                   {name, "truncated", "complete copy"});
}

TEST(ImageReading, RefusesTruncatedHeaders) {
  const TemporaryFolder folder;
  for (const char* name : {"quaternion_only_uint8.nii", "oblique_float.mha", "oblique_int16.mhd",
                           "oblique_uint16_compressed.nrrd", "oblique_scaled_int16.nii.gz"}) {
    for (const double part : {0.0, 0.01, 0.2})
      expect_failure([&] { read_image_info(truncated(folder, name, part)); }, ErrorCode::bad_data, {name});
  }
}

TEST(ImageReading, RefusesADataFileThatIsMissing) {
  const TemporaryFolder folder;
  fs::copy_file(fixture("oblique_int16.mhd"), folder / "alone.mhd");
  expect_failure([&] { read_all(folder / "alone.mhd"); }, ErrorCode::not_found, {"oblique_int16.zraw"});
}

TEST(ImageReading, RefusesAxesThatAreNotPerpendicular) {
  expect_failure([] { read_image_info(fixture("sheared.nii")); }, ErrorCode::bad_data, {"sheared.nii"});
  const TemporaryFolder folder;
  const auto sheared = written(folder, "sheared.nrrd",
                               "NRRD0004\ntype: uchar\ndimension: 3\nspace: left-posterior-superior\nsizes: 1 1 1\n"
                               "space directions: (1,0,0) (0.6,0.8,0) (0,0,1)\nencoding: raw\n\nx");
  expect_failure([&] { read_image_info(sheared); }, ErrorCode::bad_data,
                 {"sheared.nrrd", "axes x and y", "not perpendicular", "0.6", "resample"});
}

TEST(ImageReading, RefusesColoursAndTwoAxes) {
  expect_failure([] { read_image_info(fixture("colour.nii")); }, ErrorCode::unsupported,
                 {"colour.nii", "datatype 128"});
  const TemporaryFolder folder;
  const auto flat =
      written(folder, "flat.mha", "NDims = 2\nDimSize = 1 1\nElementType = MET_UCHAR\nElementDataFile = LOCAL\nx");
  expect_failure([&] { read_image_info(flat); }, ErrorCode::unsupported, {"flat.mha", "2 axes", "nz = 1"});
  const auto vectors = written(folder, "vectors.mha",
                               "NDims = 3\nDimSize = 1 1 1\nElementNumberOfChannels = 3\nElementType = MET_UCHAR\n"
                               "ElementDataFile = LOCAL\nxyz");
  expect_failure([&] { read_image_info(vectors); }, ErrorCode::unsupported,
                 {"vectors.mha", "3 numbers for each voxel"});
}

TEST(ImageReading, SaysWhenMatrixAndQuaternionDisagree) {
  EXPECT_THAT(read_image_info(fixture("two_places.nii")).remark,
              ::testing::HasSubstr("up to 5 mm apart; the matrix is taken"));
  EXPECT_EQ(read_image_info(fixture("oblique_scaled_int16.nii.gz")).remark, "");
}

TEST(ImageReading, SaysWhenThereAreMoreDataThanTheHeaderSpeaksOf) {
  const TemporaryFolder folder;
  std::ofstream(folder / "a.mhd") << "NDims = 3\nDimSize = 4 3 2\nElementType = MET_SHORT\nElementDataFile = a.raw\n";
  write_bytes(folder / "a.raw", std::vector<char>(48));
  EXPECT_EQ(read_image_info(folder / "a.mhd").remark, "");
  write_bytes(folder / "a.raw", std::vector<char>(96));
  EXPECT_THAT(read_image_info(folder / "a.mhd").remark,
              ::testing::HasSubstr("a.raw' goes on for 48 bytes behind the 48 that the header speaks of"));
}

TEST(ImageReading, RefusesANiftiMatrixThatIsNotFinite) {
  const TemporaryFolder folder;
  std::vector<char> bytes = bytes_of(fixture("in_metres.nii"));
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(&bytes[280], &nan, sizeof nan);
  write_bytes(folder / "nan.nii", bytes);
  expect_failure([&] { read_image_info(folder / "nan.nii"); }, ErrorCode::bad_data, {"nan.nii", "srow = nan"});
}

TEST(ImageReading, UnderstandsNrrdSpacesAndLists) {
  const TemporaryFolder folder;
  const std::string start = "NRRD0005\ntype: unsigned char\ndimension: 4\nsizes: 1 1 1 2\nencoding: raw\n";
  const auto las = written(folder, "las.nrrd",
                           start +
                               "space: left-anterior-superior\nspace origin: (1,2,3)\n"
                               "space directions: (0,2,0) (3,0,0) (0,0,4) none\nspacings: nan nan nan 0.5\n\nab");
  const ImageInfo info = read_image_info(las);
  EXPECT_EQ(info.geometry.origin_mm[0], 1);
  EXPECT_EQ(info.geometry.origin_mm[1], -2);
  EXPECT_EQ(info.geometry.direction[3], -1);  // x runs along -P
  EXPECT_EQ(info.geometry.spacing_mm[1], 3);
  EXPECT_EQ(info.geometry.time_step_s, 0.5);
  EXPECT_EQ(read_all(las), (std::vector<float>{'a', 'b'}));
  const auto plain = written(folder, "plain.nrrd", start + "spacings: 1 2 3 4\n\nab");
  EXPECT_FALSE(read_image_info(plain).has_orientation);
  EXPECT_EQ(read_image_info(plain).geometry.spacing_mm[2], 3);
}

TEST(ImageReading, RefusesWhatItDoesNotUnderstand) {
  const TemporaryFolder folder;
  const std::string start = "NDims = 3\nDimSize = 1 1 1\nElementType = MET_UCHAR\n";
  const auto refused = [&](const std::string& name, const std::string& text, const std::string& part) {
    const auto path = written(folder, name, text);
    expect_failure([&] { read_image_info(path); }, ErrorCode::unsupported, {name, part});
  };
  refused("text.mha", start + "BinaryData = False\nElementDataFile = LOCAL\n7", "BinaryData = False");
  refused("list.mhd", start + "ElementDataFile = LIST\na.raw\n", "several files");
  refused("scaled.mha", start + "ElementToIntensityFunctionSlope = 2\nElementDataFile = LOCAL\nx", "scales its values");
  const std::string nrrd = "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 1 1 1\n";
  refused("units.mha", start + "DistanceUnits = um\nElementDataFile = LOCAL\nx", "DistanceUnits = um");
  refused("type.mha", "NDims = 3\nDimSize = 1 1 1\nElementType = MET_STRING\nElementDataFile = LOCAL\nx", "MET_STRING");
  refused("text.nrrd", nrrd + "encoding: ascii\n\n7", "encoding 'ascii'");
  refused("block.nrrd", "NRRD0004\ntype: block\ndimension: 3\nsizes: 1 1 1\nencoding: raw\n\n7", "type 'block'");
  refused("colours.nrrd",
          "NRRD0004\ntype: uchar\ndimension: 4\nsizes: 3 1 1 1\nspace: left-posterior-superior\n"
          "space directions: none (1,0,0) (0,1,0) (0,0,1)\nencoding: raw\n\nrgb",
          "not x, y, z and then t");
  refused("units.nrrd", nrrd + "space units: \"um\" \"um\" \"um\"\nencoding: raw\n\n7", "'um'");
  refused("skip.nrrd", nrrd + "encoding: raw\nline skip: 2\n\n7", "line skip");
}

TEST(ImageReading, RefusesValuesThatAreNotFiniteUnlessToldToZeroThem) {
  const TemporaryFolder folder;
  const std::string header = "NDims = 3\nDimSize = 2 1 1\nElementType = MET_FLOAT\nElementDataFile = LOCAL\n";
  const float values[] = {1.5F, std::numeric_limits<float>::quiet_NaN()};
  const auto path =
      written(folder, "nan.mha", header + std::string(reinterpret_cast<const char*>(values), sizeof values));
  expect_failure([&] { read_all(path); }, ErrorCode::bad_data, {"nan.mha", "nan", "voxel (1, 0, 0)", "non_finite"});
  EXPECT_EQ(read_all(path, NonFinite::zero), (std::vector<float>{1.5F, 0.0F}));
}

TEST(ImageReading, RefusesWholeNumbersThatFloat32CannotHold) {
  const TemporaryFolder folder;
  const std::string header = "NDims = 3\nDimSize = 2 1 1\nElementType = MET_INT\nElementDataFile = LOCAL\n";
  const std::int32_t values[] = {16777216, 16777217};
  const auto path =
      written(folder, "large.mha", header + std::string(reinterpret_cast<const char*>(values), sizeof values));
  expect_failure([&] { read_all(path); }, ErrorCode::bad_data, {"16777217", "voxel (1, 0, 0)"});
}

}  // namespace
}  // namespace isocenter::detail::io
