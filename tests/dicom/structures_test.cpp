// Contours to voxels, and files named by lists.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcfilefo.h>
#include <gmock/gmock.h>

#include <cmath>
#include <fstream>
#include <isocenter/error.hpp>

#include "dicom/inspect.hpp"
#include "dicom/read_structures.hpp"
#include "dicom/synthetic_series.hpp"

namespace {

using namespace isocenter::detail::dicom;
using namespace isocenter::testing;
using isocenter::Failure;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

const fs::path data = ISOCENTER_TEST_DATA;

/// An oblique grid of 2 x 1 x 3 mm: x and y turned by 30 degrees about z.
VoxelGrid oblique_grid() {
  VoxelGrid g;
  const double c = std::cos(0.5235987755982988), s = 0.5;
  g.origin = {10, -20, 5};
  g.axis[0] = {c, s, 0};
  g.axis[1] = {-s, c, 0};
  g.axis[2] = {0, 0, 1};
  g.spacing[0] = 2;
  g.spacing[1] = 1;
  g.spacing[2] = 3;
  g.extent[0] = 60;
  g.extent[1] = 110;
  g.extent[2] = 4;
  return g;
}

Vec3 point(const VoxelGrid& g, double x, double y, double z) {
  return g.origin + g.axis[0] * (x * g.spacing[0]) + g.axis[1] * (y * g.spacing[1]) + g.axis[2] * (z * g.spacing[2]);
}

/// A circle in mm about voxel (30, 50) of plane z.
std::vector<Vec3> circle(const VoxelGrid& g, double radius_mm, double z) {
  std::vector<Vec3> points;
  for (int i = 0; i < 3600; ++i) {
    const double a = i * 2 * 3.14159265358979 / 3600;
    points.push_back(
        point(g, 30 + radius_mm * std::cos(a) / g.spacing[0], 50 + radius_mm * std::sin(a) / g.spacing[1], z));
  }
  return points;
}

std::vector<std::uint8_t> filled(const Structure3D& s, const VoxelGrid& g) {
  std::vector<std::uint8_t> mask(static_cast<std::size_t>(g.extent[0] * g.extent[1] * g.extent[2]));
  fill_structure(
      s, g, [](std::uint8_t) { return std::uint8_t{1}; }, mask);
  return mask;
}

TEST(DicomStructures, AVoxelIsInsideWhenItsCentreIs) {
  const VoxelGrid g = oblique_grid();
  Structure3D s;
  s.contours = {circle(g, 40.3, 1), circle(g, 20.2, 1), circle(g, 10.1, 2.2)};
  const auto mask = filled(s, g);
  for (int z = 0; z < 4; ++z)
    for (int y = 0; y < g.extent[1]; ++y)
      for (int x = 0; x < g.extent[0]; ++x) {
        const double r = std::hypot((x - 30) * g.spacing[0], (y - 50) * g.spacing[1]);
        const bool ring = z == 1 && r < 40.3 && r > 20.2;  // the inner contour is a hole
        const bool disk = z == 2 && r < 10.1;              // a fifth of a step away from its plane
        ASSERT_EQ(mask[g.offset(x, y, z)] != 0, ring || disk) << x << " " << y << " " << z;
      }
}

TEST(DicomStructures, NeighboursShareNoVoxelAndLeaveNone) {
  const VoxelGrid g = oblique_grid();
  Structure3D left, right;
  // The edge between them goes through voxel centres; the others do not.
  left.contours = {{point(g, 4.6, 4.6, 0), point(g, 20, 4.6, 0), point(g, 20, 14.4, 0), point(g, 4.6, 14.4, 0)}};
  right.contours = {{point(g, 20, 4.6, 0), point(g, 30.4, 4.6, 0), point(g, 30.4, 14.4, 0), point(g, 20, 14.4, 0)}};
  const auto a = filled(left, g), b = filled(right, g);
  std::size_t both = 0, any = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    both += a[i] != 0 && b[i] != 0;
    any += a[i] != 0 || b[i] != 0;
  }
  EXPECT_EQ(both, 0U);
  EXPECT_EQ(any, 26U * 10U);
}

TEST(DicomStructures, AContourAcrossThePlanesIsRefused) {
  const VoxelGrid g = oblique_grid();
  Structure3D s;
  s.name = "PTV";
  s.contours = {{point(g, 5, 5, 0), point(g, 20, 5, 0), point(g, 20, 15, 2)}};
  try {
    filled(s, g);
    FAIL() << "not refused";
  } catch (const Failure& f) {
    EXPECT_THAT(f.what(), HasSubstr("contour 1 of structure 'PTV' does not lie in one plane of the reference"));
  }
}

TEST(DicomStructures, AFileGivesItsNamesColoursAndContours) {
  const StructureSet set = open_structure_set((data / "modalities" / "rtstruct.dcm").string());
  // As pydicom lists them.
  ASSERT_EQ(set.structures.size(), 3U);
  EXPECT_EQ(set.structures[0].name, "patient");
  EXPECT_EQ(set.structures[2].name, "Isocenter 2");
  ASSERT_EQ(set.structures[0].contours.size(), 3U);
  EXPECT_EQ(set.structures[0].contours[0].size(), 5U);
  EXPECT_EQ(set.structures[0].contours[1].size(), 6U);
  EXPECT_DOUBLE_EQ(set.structures[0].srgb[1], 160.0 / 255);
  EXPECT_TRUE(set.structures[1].contours.empty());
  EXPECT_EQ(set.structures[1].other_contours, 1);
}

TEST(DicomFileList, ADicomdirLeadsToItsImagesAndNowhereElse) {
  const ScratchFolder folder;
  write_series(folder / "DATA", 3);
  fs::rename(folder / "DATA" / "s000.dcm", folder / "DATA" / "A");
  write_slice(folder / "other.dcm", {});
  DcmFileFormat format;
  DcmDataset& d = *format.getDataset();
  const char* ids[] = {"DATA\\A", "DATA\\s001.dcm", "DATA\\MISSING", "..\\secret"};
  for (unsigned i = 0; i < 4; ++i) {
    DcmItem* record = nullptr;
    d.findOrCreateSequenceItem(DCM_DirectoryRecordSequence, record, static_cast<long>(i));
    record->putAndInsertString(DCM_ReferencedFileID, ids[i]);
  }
  d.putAndInsertString(DCM_SOPClassUID, "1.2.840.10008.1.3.10");
  d.putAndInsertString(DCM_SOPInstanceUID, "1.2.3.4.5");
  ASSERT_TRUE(format.saveFile(OFFilename((folder / "DICOMDIR").c_str()), EXS_LittleEndianExplicit).good());
  const Report report = inspect((folder / "DICOMDIR").string(), Workers());
  EXPECT_EQ(report.images.size(), 2U);
  EXPECT_EQ(report.files, 2);
  std::string said;
  for (const Finding& f : report.findings) said += f.what + "; ";
  EXPECT_THAT(said, HasSubstr("DATA\\MISSING names is not there"));
  EXPECT_THAT(said, HasSubstr("'..\\secret' leads out of the medium"));
}

TEST(DicomFileList, ATextFileNamesItsFiles) {
  const ScratchFolder folder;
  write_series(folder / "a", 4);
  std::ofstream(folder / "list.txt") << "a/s001.dcm\r\n" << (folder / "a" / "s002.dcm").string() << "\n\na/s003.dcm\n";
  const Report report = inspect((folder / "list.txt").string(), Workers());
  EXPECT_EQ(report.images.size(), 3U);
  ASSERT_EQ(report.series.size(), 1U);
}

}  // namespace
