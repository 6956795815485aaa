// The acquisition's description: projection matrices, gantry angles, files of geometry.
#include <gmock/gmock.h>

#include <fstream>
#include <isocenter/recon/iec61217.hpp>
#include <isocenter/recon/orbits.hpp>
#include <isocenter/recon/projection_matrix.hpp>
#include <iterator>
#include <sstream>

#include "device_test.hpp"
#include "phantom/raw_data.hpp"
#include "recon/geometry_file.hpp"
#include "recon/geometry_text.hpp"
#include "test_launcher.hpp"

namespace isocenter::testing {
namespace {

using namespace detail;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr double degree = std::numbers::pi / 180.0;
const std::string data = ISOCENTER_TEST_DATA "/";

Vector3 times_point(const ProjectionMatrix& p, const Vector3& x) {
  Vector3 h{};
  for (std::size_t r = 0; r < 3; ++r) h[r] = p[4 * r] * x[0] + p[4 * r + 1] * x[1] + p[4 * r + 2] * x[2] + p[4 * r + 3];
  return h;
}

void expect_near(const Vector3& a, const Vector3& b, double bound) {
  for (std::size_t k = 0; k < 3; ++k) EXPECT_NEAR(a[k], b[k], bound) << k;
}

void expect_same_view(const View& a, const View& b, double bound) {
  expect_near(a.source_mm, b.source_mm, bound);
  expect_near(a.detector_origin_mm, b.detector_origin_mm, bound);
  expect_near(a.u_step_mm, b.u_step_mm, bound);
  expect_near(a.v_step_mm, b.v_step_mm, bound);
}

/// A detector that nothing is at right angles in.
View skewed_view() {
  return {.source_mm = {420, -710, 55},
          .detector_origin_mm = {-390, 300, -180},
          .u_step_mm = {0.9, 0.7, 0.05},
          .v_step_mm = {-0.1, 0.12, 1.3}};
}

// ---- Matrices ----------------------------------------------------------------------------------------------------

TEST(ProjectionMatrix, IsTheTextbookCameraOfACircularOrbit) {
  // Hartley and Zisserman, section 6.1: P = K R [I | -C] with the focal length and the principal point in elements.
  const CircularOrbit orbit{
      .columns = 201, .rows = 101, .column_step_mm = 0.5, .row_step_mm = 0.8, .detector_offset_u_mm = 12};
  const double angle = 35 * degree, c = std::cos(angle), s = std::sin(angle);
  const Vector3 source{1000 * s, -1000 * c, 0}, u{c, s, 0}, v{0, 0, 1}, forward{-s, c, 0};
  const double k[3][3] = {{1500 / 0.5, 0, 100 - 12 / 0.5}, {0, 1500 / 0.8, 50}, {0, 0, 1}};
  const ProjectionMatrix p = projection_matrix_of(orbit.view_at(angle), Beam::cone);
  for (std::size_t r = 0; r < 3; ++r) {
    Vector3 row{};
    for (std::size_t i = 0; i < 3; ++i) row[i] = k[r][0] * u[i] + k[r][1] * v[i] + k[r][2] * forward[i];
    for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(p[4 * r + i], row[i], 1e-9);
    EXPECT_NEAR(p[4 * r + 3], -dot(row, source), 1e-6);
  }
}

TEST(ProjectionMatrix, TakesPointsWhereTheirRaysGo) {
  const View view = skewed_view();
  const ProjectionMatrix p = projection_matrix_of(view, Beam::cone);
  const Vector3 element = view.element_mm(310.5, 97.25), point = plus(times(0.7, view.source_mm), times(0.3, element));
  const Vector3 h = times_point(p, point);
  EXPECT_NEAR(h[0] / h[2], 310.5, 1e-9);
  EXPECT_NEAR(h[1] / h[2], 97.25, 1e-9);
  const Vector3 normal = unit(cross(view.u_step_mm, view.v_step_mm));
  EXPECT_NEAR(h[2], std::fabs(dot(normal, minus(point, view.source_mm))), 1e-9) << "depth in mm, positive in front";
}

TEST(ProjectionMatrix, GivesItsViewBackWhateverItsFactorAndItsSkew) {
  for (const double factor : {1.0, -0.003, 4e5}) {
    ProjectionMatrix p = projection_matrix_of(skewed_view(), Beam::cone);
    for (double& x : p) x *= factor;
    expect_same_view(view_of_matrix(p, length(skewed_view().u_step_mm)), skewed_view(), 1e-8);
  }
  View parallel = CircularOrbit{.beam = Beam::parallel}.view_at(0.4);
  parallel.u_step_mm = plus(parallel.u_step_mm, Vector3{0, 0, 0.3});  // skewed
  ProjectionMatrix p = projection_matrix_of(parallel, Beam::parallel);
  for (double& x : p) x *= -7;
  ASSERT_TRUE(is_parallel(p));
  const View back = view_of_matrix(p, 2);
  expect_near(back.source_mm, parallel.source_mm, 1e-12);
  for (const Vector3& point : {Vector3{10, 20, 30}, Vector3{-99, 1, 45}}) {
    const DetectorPoint a = detector_point(parallel, Beam::parallel, DetectorShape::flat, point);
    const DetectorPoint b = detector_point(back, Beam::parallel, DetectorShape::flat, point);
    EXPECT_NEAR(a.column, b.column, 1e-9);
    EXPECT_NEAR(a.row, b.row, 1e-9);
  }
}

TEST(ProjectionMatrix, RefusesWhatIsNone) {
  ProjectionMatrix p = projection_matrix_of(skewed_view(), Beam::cone);
  p[6] = std::nan("");
  EXPECT_THAT(error_of([&] { view_of_matrix(p, 1); }), HasSubstr("not finite"));
  p = projection_matrix_of(skewed_view(), Beam::cone);
  for (std::size_t k = 0; k < 4; ++k) p[4 + k] = 2 * p[k];
  EXPECT_THAT(error_of([&] { view_of_matrix(p, 1); }), HasSubstr("has no inverse"));
  EXPECT_THAT(error_of([&] { view_of_matrix({}, 1); }), HasSubstr("third row of the projection matrix is 0"));
  // Where determinant and bound are 0 alike.
  EXPECT_THAT(error_of([&] { view_of_matrix({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 5}, 1); }), HasSubstr("has no inverse"));
  EXPECT_THAT(error_of([] { view_of_matrix(projection_matrix_of(skewed_view(), Beam::cone), 0); }),
              HasSubstr("distance between detector columns"));
}

// ---- Gantry angles and RTK ---------------------------------------------------------------------------------------

/// Numbers of the elements <name> of a file, in their order, read without our parser.
std::vector<std::vector<double>> elements_of(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::vector<std::vector<double>> found;
  for (std::size_t at = 0; (at = text.find("<" + name + ">", at)) != std::string::npos;) {
    at += name.size() + 2;
    std::istringstream content(text.substr(at, text.find('<', at) - at));
    found.emplace_back(std::istream_iterator<double>(content), std::istream_iterator<double>());
  }
  return found;
}

constexpr DetectorSampling five_by_four{-80, -55, 37.5, 41.25};

TEST(RtkGeometry, OfItsOwnFilesHasRtksMatrices) {
  // Written by RTK 2.7.0 (PyPI itk-rtk 2.7.0.post1, ITK 5.4.7) with 15 digits.
  for (const char* name : {"cone", "parallel"}) {
    SCOPED_TRACE(name);
    const std::string path = data + "rtk_2.7.0_" + name + ".xml";
    const ScanGeometry scan = read_geometry_file(path, {five_by_four});
    EXPECT_STREQ(scan.format, "RTK XML");
    const auto matrices = elements_of(path, "Matrix");
    ASSERT_EQ(matrices.size(), scan.views.size());
    ASSERT_GE(matrices.size(), 2U);
    for (std::size_t n = 0; n < matrices.size(); ++n)
      for (const Vector3& fixed : {Vector3{10, -35, 60}, Vector3{-71, 44, 8}, Vector3{0, 0, 0}}) {
        ProjectionMatrix rtk{};
        std::copy(matrices[n].begin(), matrices[n].end(), rtk.begin());
        const Vector3 h = times_point(rtk, fixed);  // from RTK's fixed system to mm on the detector
        const DetectorPoint p = detector_point(scan.views[n], scan.beam, scan.detector, lps_of_iec61217(fixed));
        EXPECT_NEAR(-80 + 37.5 * p.column, h[0] / h[2], 1e-9) << "view " << n;
        EXPECT_NEAR(-55 + 41.25 * p.row, h[1] / h[2], 1e-9) << "view " << n;
      }
  }
}

TEST(RtkGeometry, HasTheRaysThatRtkSends) {
  // rtk::RayEllipsoidIntersectionImageFilter of RTK 2.7.0 through its files: 5 x 4 elements as five_by_four says, the
  // ellipsoid of half axes (90, 60, 75) mm at (12, -20, 31) mm of RTK's fixed system.
  struct Golden {
    const char* name;
    std::vector<double> lengths;
  };
  const Golden goldens[] = {
      {"cone",
       {101.7303, 130.2583, 143.1791, 144.7082, 135.2363, 104.3292, 132.3583, 145.1191, 146.6269, 137.2565, 54.65712,
        98.03474, 114.6567, 116.5581, 104.55,   0,        0,        0,        0,        0,        0,        31.54551,
        130.8576, 163.8996, 173.2916, 0,        46.63093, 135.6188, 167.9048, 177.1675, 0,        0,        84.55679,
        129.9375, 141.576,  0,        0,        0,        0,        0,        110.8082, 137.6476, 145.135,  137.1898,
        111.4562, 122.7604, 148.2243, 155.9469, 149.3502, 127.0092, 82.38204, 118.4991, 129.4985, 123.103,  96.92271,
        0,        0,        0,        0,        0,        0,        0,        0,        0,        0,        70.88461,
        86.62896, 82.10116, 52.27022, 0,        128.0546, 136.9244, 133.7891, 117.6938, 81.32304, 138.5516, 146.3184,
        143.106,  128.0936, 95.93467, 60.94747, 72.28761, 64.58025, 23.53635, 0,        95.03312, 105.1247, 102.4958,
        85.99072, 41.48898, 106.019,  117.3494, 117.209,  105.5383, 77.27609, 101.7255, 115.7048, 117.759,  108.5375,
        84.39989, 77.05907, 85.45898, 65.78691, 0,        0,        0,        0,        0,        0,        0,
        0,        0,        0,        0,        0,        0,        0,        0,        0,        0}},
      {"parallel", {0,        93.02557, 115.9916, 99.25681, 0, 72.64198, 135.9396, 152.5774, 140.2773, 87.59664,
                    0,        79.04071, 105.1082, 86.28784, 0, 0,        0,        0,        0,        0,
                    89.59494, 133.4559, 114.1132, 0,        0, 143.5667, 174.4578, 160.274,  79.80045, 0,
                    64.65257, 118.5116, 96.6341,  0,        0, 0,        0,        0,        0,        0}},
      {"curved", {134.7392, 146.4429, 150.31,   147.1207, 136.5237, 126.5572, 138.9925, 143.0745, 139.7081, 128.4614,
                  89.80994, 106.8198, 112.2579, 108.1076, 93.3054,  0,        0,        0,        0,        0,
                  163.1291, 161.3033, 147.6474, 117.0573, 38.52821, 150.856,  148.86,   133.8425, 98.82407, 0,
                  104.8857, 101.0156, 75.91129, 0,        0,        0,        0,        0,        0,        0,
                  105.4061, 149.1257, 168.868,  173.6004, 165.3602, 69.16605, 126.2925, 149.1604, 154.5207, 145.1888,
                  0,        20.09714, 82.65282, 92.87623, 77.66234, 0,        0,        0,        0,        0}}};
  Solids ellipsoid;
  ellipsoid.list = {
      make_solid(Solid::ellipsoid, lps_of_iec61217({12, -20, 31}), {90, 75, 60}, no_turn, 1.0, label_soft_tissue)};
  for (const Golden& golden : goldens) {
    SCOPED_TRACE(golden.name);
    const ScanGeometry scan = read_geometry_file(data + "rtk_2.7.0_" + golden.name + ".xml", {five_by_four});
    ASSERT_EQ(golden.lengths.size(), scan.views.size() * 20);
    float image[20];
    for (std::size_t n = 0; n < scan.views.size(); ++n) {
      project(launcher_with(1), ellipsoid, scan.views[n], scan.beam, 4, 5, 1.0, image, scan.detector);
      for (std::size_t i = 0; i < 20; ++i)
        EXPECT_NEAR(image[i], golden.lengths[n * 20 + i], 3e-4) << "view " << n << " element " << i;
    }
  }
}

TEST(RtkGeometry, ComesBackFromItsText) {
  CircularOrbit orbit{.views = 7, .columns = 40, .rows = 30, .detector_offset_u_mm = 21, .detector_offset_v_mm = -8};
  HelicalOrbit helix{orbit, 0.8};
  const DetectorSampling sampling{-39, -29, 2, 2};
  ScanGeometry scan;
  const auto expect_back = [&](double bound) {
    const ScanGeometry back = parse_geometry(rtk_geometry_text(scan, sampling), "text", {sampling});
    EXPECT_EQ(back.beam, scan.beam);
    EXPECT_EQ(back.detector, scan.detector);
    ASSERT_EQ(back.views.size(), scan.views.size());
    for (std::size_t n = 0; n < scan.views.size(); ++n) expect_same_view(back.views[n], scan.views[n], bound);
  };
  scan.views = misaligned(helix.build(), Beam::cone, 40, 30,
                          {.shift_mm = 4, .turn_rad = 0.05, .detector_shift_mm = 2, .detector_turn_rad = 0.1});
  expect_back(1e-9);
  helix.turn.detector = scan.detector = DetectorShape::curved;
  scan.views = misaligned(helix.build(), Beam::cone, 40, 30, {.shift_mm = 4, .turn_rad = 0.05});
  expect_back(1e-9);
  scan.detector = DetectorShape::flat;
  scan.beam = orbit.beam = Beam::parallel;
  scan.views = orbit.build();
  expect_back(1e-9);
  // Zeros without a sign, for whoever reads the file.
  scan.beam = Beam::cone;
  scan.views = CircularOrbit{.views = 4, .columns = 40, .rows = 30}.build();
  EXPECT_THAT(rtk_geometry_text(scan, sampling), Not(ContainsRegex("[> ]-0[ <\n]")));
}

TEST(GantryTable, ComesBackFromItsTextWithItsTimes) {
  ScanGeometry scan;
  scan.views = misaligned(CircularOrbit{.views = 5, .columns = 40, .rows = 30}.build(), Beam::cone, 40, 30,
                          {.shift_mm = 4, .turn_rad = 0.05, .detector_turn_rad = 0.1});
  scan.views.push_back(view_of_gantry({.gantry_angle_rad = 0.3,
                                       .out_of_plane_angle_rad = -0.5 * std::numbers::pi,
                                       .in_plane_angle_rad = 0.2,
                                       .source_to_isocenter_mm = 500,
                                       .source_to_detector_mm = 800},
                                      Beam::cone, DetectorShape::flat, {-39, -29, 2, 2}));
  const GeometryFileOptions options{{-39, -29, 2, 2}};
  const ScanGeometry back = parse_geometry(gantry_table_text(scan, options.sampling), "table", options);
  ASSERT_EQ(back.views.size(), 6U);
  for (std::size_t n = 0; n < 6; ++n) {
    expect_same_view(back.views[n], scan.views[n], 1e-9);
    EXPECT_EQ(back.views[n].time_s, scan.views[n].time_s);
  }
}

TEST(GantryTable, PutsTheSourceWhereIec61217SaysItIs) {
  const std::string text =
      "# a C-arm\n\"gantry_angle_deg\";source_to_isocenter_mm;source_to_detector_mm\n0;700;1100\n90;700;1100\n";
  const ScanGeometry scan = parse_geometry(text, "table", {{-10, -10, 1, 1}});
  ASSERT_EQ(scan.views.size(), 2U);
  expect_near(scan.views[0].source_mm, {0, -700, 0}, 1e-9);
  expect_near(scan.views[1].source_mm, {700, 0, 0}, 1e-9);
  expect_near(scan.views[1].detector_origin_mm, {-400, -10, -10}, 1e-9);
  expect_near(scan.views[1].u_step_mm, {0, 1, 0}, 1e-12);
  EXPECT_STREQ(scan.format, "IEC 61217 angles");
}

TEST(MatrixFile, IsTakenInTheCoordinatesThatItIsGivenIn) {
  const View view = CircularOrbit{.columns = 40, .rows = 30}.view_at(0.7);
  const DetectorSampling sampling{-39, -29, 2, 2};
  ScanGeometry scan;
  scan.views = {view};
  const ScanGeometry plain = parse_geometry(matrices_text(scan), "matrices", {sampling});
  expect_same_view(plain.views.at(0), view, 1e-9);
  // RTK's matrix is from IEC 61217's fixed system to mm; here one row a line.
  const ProjectionMatrix p =
      rtk_matrix({.gantry_angle_rad = 0.7, .source_to_isocenter_mm = 1000, .source_to_detector_mm = 1500}, false);
  std::string text;
  for (std::size_t k = 0; k < 12; ++k) text += exact_text(p[k]) + (k % 4 == 3 ? "\n" : ",\t");
  const ScanGeometry turned =
      parse_geometry(text, "matrices", {sampling, MatrixSpace::iec61217, MatrixTarget::detector_mm});
  expect_same_view(turned.views.at(0), view, 1e-9);
}

std::string refusal_of(const std::string& text) {
  return error_of([&] { parse_geometry(text, "g", {five_by_four}); });
}
std::string xml(const std::string& body) {
  return "<?xml version=\"1.0\"?>\n<RTKThreeDCircularGeometry version=\"3\">\n" + body +
         "</RTKThreeDCircularGeometry>\n";
}

TEST(GeometryFile, IsRefusedWithTheLineThatIsWrong) {
  EXPECT_THAT(refusal_of(""), HasSubstr("'g' holds no view"));
  EXPECT_THAT(refusal_of("1 2 3 4\n5 6 7\n"), HasSubstr("'g' line 2 has 3 numbers"));
  EXPECT_THAT(refusal_of("1 2 3 4\n5 6 7 8\n"), HasSubstr("ends within the matrix of view 0"));
  EXPECT_THAT(refusal_of("1 2 3 x\n"), HasSubstr("line 1 has 'x' where a number is needed"));
  EXPECT_THAT(refusal_of("1 2 3 nan\n"), HasSubstr("'nan' where a number"));
  EXPECT_THAT(refusal_of("1 0 0 0 2 0 0 0 0 0 1 5\n"),
              HasSubstr("line 1, view 0: the projection matrix has no inverse"));
  const std::string matrix = "900 0 300 1 0 900 200 1 0 0 1 600\n";
  EXPECT_THAT(
      refusal_of(matrix + "0 0 0 0 0 0 0 0 0 0 0 0\n"),
      AllOf(HasSubstr("line 2, view 1: the third row of the projection matrix is 0"), Not(HasSubstr("parallel"))));
  EXPECT_THAT(refusal_of("gantry_angle_deg\n4\n"), HasSubstr("names no column source_to_isocenter_mm"));
  EXPECT_THAT(refusal_of("gantry_angle_deg,angle\n"), HasSubstr("names the column 'angle', which"));
  EXPECT_THAT(refusal_of("gantry_angle_deg,gantry_angle_deg\n"), HasSubstr("twice"));
  EXPECT_THAT(refusal_of("gantry_angle_deg,source_to_isocenter_mm\n1,2\n3\n"), HasSubstr("line 3 has 1 numbers"));
  EXPECT_THAT(refusal_of("<html></html>"), HasSubstr("its first element is not RTKThreeDCircularGeometry"));
  EXPECT_THAT(refusal_of("<RTKThreeDCircularGeometry version=\"1\">"), HasSubstr("2 and 3 are known"));
  EXPECT_THAT(refusal_of("<!-- <a> -->\n<RTKThreeDCircularGeometry version=\"3\"><Projection>"),
              HasSubstr("line 2 ends before </RTKThreeDCircularGeometry>"));
  EXPECT_THAT(refusal_of(xml("<SourceToIsocenterDistance>1e3</SourceToIsocenterDistance>\n")),
              HasSubstr("has no Projection"));
  EXPECT_THAT(refusal_of(xml("<Speed>3</Speed>\n")), HasSubstr("line 3 has the element <Speed>"));
  EXPECT_THAT(refusal_of(xml("<GantryAngle>3 4</GantryAngle>\n")), HasSubstr("has 2 numbers in <GantryAngle>"));
  EXPECT_THAT(refusal_of(xml("<GantryAngle>3</Projection>\n")), HasSubstr("opens <GantryAngle>, which is not closed"));
  EXPECT_THAT(refusal_of(xml("loose\n<Projection></Projection>\n")), HasSubstr("loose"));
  EXPECT_THAT(refusal_of(xml("<Projection></Projection>\n") + "<a/>"), HasSubstr("goes on after"));
  EXPECT_THAT(refusal_of(xml("<Projection></Projection></Projection>\n")), HasSubstr("'Projection' out of place"));
  EXPECT_THAT(refusal_of(xml("<Projection>\n<SourceToDetectorDistance>9</SourceToDetectorDistance></Projection>\n"
                             "<Projection><SourceToDetectorDistance>0</SourceToDetectorDistance></Projection>\n")),
              AllOf(HasSubstr("line 5 ends view 1"), HasSubstr("some views have SourceToDetectorDistance 0")));
  EXPECT_THAT(refusal_of(xml("<Projection><SourceToIsocenterDistance>9</SourceToIsocenterDistance>"
                             "<SourceToDetectorDistance>12</SourceToDetectorDistance>"
                             "<Matrix>1 2 3 4 5 6 7 8 9 10 11 12</Matrix></Projection>")),
              HasSubstr("ends view 0, whose Matrix has 1 where its angles and distances give -12"));
  EXPECT_THAT(refusal_of(xml("<RadiusCylindricalDetector>500</RadiusCylindricalDetector><Projection>"
                             "<SourceToDetectorDistance>900</SourceToDetectorDistance></Projection>")),
              HasSubstr("the cylinder is not around the focal spot"));
  EXPECT_THAT(refusal_of(xml("<Projection><GantryAngle>1e300</GantryAngle><SourceToDetectorDistance>1.7e308"
                             "</SourceToDetectorDistance><ProjectionOffsetX>1.7e308</ProjectionOffsetX><SourceOffsetX>"
                             "-1.7e308</SourceOffsetX></Projection>")),
              HasSubstr("places view 0 at a position that is not finite"));
  EXPECT_THAT(error_of([] { read_geometry_file("no/such/file.xml", {}); }), HasSubstr("cannot be opened"));
}

TEST(GeometryFile, SaysWhatItCannotHold) {
  ScanGeometry scan;
  scan.views = {skewed_view()};
  const DetectorSampling own{0, 0, length(skewed_view().u_step_mm), length(skewed_view().v_step_mm)};
  EXPECT_THAT(error_of([&] { rtk_geometry_text(scan, own); }), HasSubstr("view 0: the detector's columns and rows"));
  scan.views = CircularOrbit{.views = 3}.build();
  scan.views[2].u_step_mm = times(1.01, scan.views[2].u_step_mm);
  EXPECT_THAT(error_of([&] { rtk_geometry_text(scan, {0, 0, 2, 2}); }), HasSubstr("view 2 has detector steps of 2.02"));
  scan.views = CircularOrbit{.views = 3, .detector = DetectorShape::curved}.build();
  scan.detector = DetectorShape::curved;
  EXPECT_THAT(error_of([&] { matrices_text(scan); }), HasSubstr("only a flat detector has matrices"));
  EXPECT_THAT(error_of([&] { gantry_table_text(scan, {}); }), HasSubstr("acquisition.detector is curved"));
  scan.views[1].detector_origin_mm =
      plus(scan.views[1].source_mm, times(1.1, minus(scan.views[1].detector_origin_mm, scan.views[1].source_mm)));
  EXPECT_THAT(error_of([&] { rtk_geometry_text(scan, {0, 0, 2, 2}); }), HasSubstr("view 1 has a curved detector of"));
  const ScanGeometry collimated = parse_geometry(
      xml("<Projection><SourceToDetectorDistance>900</SourceToDetectorDistance><CollimationUInf>40</CollimationUInf>"
          "</Projection>"),
      "g", {five_by_four});
  EXPECT_THAT(collimated.ignored, ::testing::ElementsAre("CollimationUInf"));
}

}  // namespace
}  // namespace isocenter::testing
