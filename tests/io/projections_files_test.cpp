// Projections into a stack and a geometry file, and back.
#include <isocenter/io/image_sink.hpp>
#include <isocenter/io/projections_sink.hpp>
#include <isocenter/io/projections_source.hpp>
#include <isocenter/recon/orbits.hpp>
#include <sstream>

#include "device_test.hpp"
#include "io_test.hpp"

namespace isocenter {
namespace {
using namespace io_test;
using testing::context;

/// A small scan whose values tell their place.
struct Scan {
  explicit Scan(std::vector<View> list, Beam b = Beam::cone, DetectorShape d = DetectorShape::flat)
      : views(std::move(list)), beam(b), detector(d) {
    const auto n = static_cast<std::int64_t>(views.size());
    for (std::int64_t i = 0; i < n * 5 * 7; ++i) values.push_back(static_cast<float>(i) * 0.25F);
    payload = Projections::describe(n, 5, 7);
    payload.set_tensor("views", tensor(DType::float32, "nvu", {n, 5, 7}, values.data()));
    set_views(payload, views, beam, detector);
  }
  std::vector<View> views;
  Beam beam;
  DetectorShape detector;
  std::vector<float> values;
  Projections payload;
};

void write(const ProjectionsSink::Params& params, const Projections& item) {
  Pipeline pipeline(context());
  const auto in = pipeline.add_input("in", item);
  pipeline.connect(in, pipeline.add<ProjectionsSink>("write", params).input);
  Session session = pipeline.prepare();
  session.start();
  session.push("in", item);
  session.end_input("in");
  session.wait();
}

Projections read(const ProjectionsSource::Params& params) {
  Pipeline pipeline(context());
  pipeline.add_output("result", pipeline.add<ProjectionsSource>("read", params).output);
  Session session = pipeline.prepare();
  session.start();
  const std::optional<Payload> item = session.pull("result");
  if (!item) session.wait();
  return Projections(context().copy_to(*item, "cpu"));
}

constexpr CircularOrbit orbit{.views = 4,
                              .columns = 7,
                              .rows = 5,
                              .column_step_mm = 3,
                              .row_step_mm = 4,
                              .first_angle_rad = 0.3,
                              .detector_offset_u_mm = 6,
                              .detector_offset_v_mm = -2};

/// Where points go is the same: what a geometry file must keep.
void expect_same_projection(const Scan& scan, const Projections& back) {
  const std::span<const View> views = views_of(back);
  ASSERT_EQ(views.size(), scan.views.size());
  EXPECT_EQ(beam_of(back), scan.beam);
  EXPECT_EQ(detector_of(back), scan.detector);
  for (std::size_t n = 0; n < views.size(); ++n)
    for (const Vector3& p : {Vector3{10, -20, 5}, Vector3{-33, 14, -8}}) {
      const DetectorPoint a = detector_point(scan.views[n], scan.beam, scan.detector, p);
      const DetectorPoint b = detector_point(views[n], scan.beam, scan.detector, p);
      EXPECT_NEAR(a.column, b.column, 1e-9) << "view " << n;
      EXPECT_NEAR(a.row, b.row, 1e-9) << "view " << n;
    }
}

TEST(ProjectionsFiles, GiveBackTheScanThatWasWritten) {
  const TemporaryFolder folder;
  const Scan tilted(misaligned(orbit.build(), Beam::cone, 7, 5,
                               {.shift_mm = 2, .turn_rad = 0.02, .detector_shift_mm = 1, .detector_turn_rad = 0.1}));
  CircularOrbit other = orbit;
  other.detector = DetectorShape::curved;
  const Scan curved(HelicalOrbit{other, 0.7}.build(), Beam::cone, DetectorShape::curved);
  other = orbit;
  other.beam = Beam::parallel;
  const Scan parallel(other.build(), Beam::parallel);
  for (const Scan* scan : {&tilted, &curved, &parallel})
    for (const char* geometry : {"scan.xml", "scan.txt", "scan.csv"})
      for (const char* stack : {"scan.mha", "scan.nrrd", "scan.nii.gz"}) {
        if (scan == &curved && std::string_view(geometry) != "scan.xml") continue;
        SCOPED_TRACE(std::string(geometry) + " " + stack);
        write({.path = (folder / stack).string(), .geometry = (folder / geometry).string()}, scan->payload);
        const Projections back = read({.path = (folder / stack).string(),
                                       .geometry = (folder / geometry).string(),
                                       .unit = "counts",
                                       .mu_water_per_mm = 0.02});
        EXPECT_EQ(back.text("unit"), "counts");
        EXPECT_EQ(back.numbers("mu_water_per_mm")[0], 0.02);
        const std::span<float> values = back.views().span<float>();
        EXPECT_TRUE(std::equal(values.begin(), values.end(), scan->values.begin(), scan->values.end()));
        EXPECT_STREQ(back.views().axes, "nvu");
        EXPECT_EQ(back.views().extent('u'), 7);
        if (std::string_view(stack) == "scan.nii.gz") continue;  // NIfTI holds the origin in float32
        expect_same_projection(*scan, back);
      }
}

TEST(ProjectionsSource, ReadsMatricesOfAnotherSystem) {
  const TemporaryFolder folder;
  const Scan scan(CircularOrbit{.views = 1, .columns = 7, .rows = 5, .column_step_mm = 3, .row_step_mm = 4}.build());
  write({.path = (folder / "a.mha").string(), .geometry = (folder / "a.xml").string()}, scan.payload);
  // RTK's matrix at gantry angle 0, by its documentation: from IEC 61217's fixed system to mm on the detector.
  std::ofstream(folder / "rtk.txt") << "-1500 0 0 0\n0 -1500 0 0\n0 0 1 -1000\n";
  expect_same_projection(scan, read({.path = (folder / "a.mha").string(),
                                     .geometry = (folder / "rtk.txt").string(),
                                     .matrix_points = MatrixPoints::iec61217,
                                     .matrix_result = MatrixResult::mm}));
}

TEST(ProjectionsSource, SaysWhatDoesNotFit) {
  const TemporaryFolder folder;
  const Scan scan(orbit.build());
  const std::string stack = (folder / "a.mha").string(), geometry = (folder / "a.txt").string();
  write({.path = stack, .geometry = geometry}, scan.payload);
  std::ofstream(geometry, std::ios::app) << "1 0 0 0 0 1 0 0 0 0 0 1\n";
  expect_failure([&] { read({.path = stack, .geometry = geometry}); }, ErrorCode::bad_data,
                 {"'read'", "a.txt' line 7", "ends a matrix of a parallel beam"});
  std::ofstream(geometry) << "1 0 0 0 0 1 0 0 0 0 0 1\n";
  expect_failure([&] { read({.path = stack, .geometry = geometry}); }, ErrorCode::bad_data,
                 {"a.mha' has 4 projections", "a.txt' has 1 views"});
  expect_failure([&] { read({.path = stack, .geometry = "/none/g.xml"}); }, ErrorCode::not_found, {"/none/g.xml"});
  std::vector<char> bytes = bytes_of(stack);
  const std::string identity = "TransformMatrix = 1 0 0 0 1 0 0 0 1", turn = "TransformMatrix = 0 1 0 1 0 0 0 0 1";
  const auto at = std::search(bytes.begin(), bytes.end(), identity.begin(), identity.end());
  ASSERT_NE(at, bytes.end());
  std::copy(turn.begin(), turn.end(), at);
  write_bytes(stack, bytes);
  expect_failure([&] { read({.path = stack, .geometry = geometry}); }, ErrorCode::bad_data,
                 {"has axes that are turned"});
}

TEST(ProjectionsSource, WarnsOfCollimationThatItDoesNotApply) {
  const TemporaryFolder folder;
  const Scan scan(CircularOrbit{.views = 1, .columns = 7, .rows = 5}.build());
  const std::string stack = (folder / "a.mha").string(), geometry = (folder / "a.xml").string();
  write({.path = stack, .geometry = geometry}, scan.payload);
  std::ofstream(geometry) << "<RTKThreeDCircularGeometry version=\"3\"><SourceToIsocenterDistance>1000"
                             "</SourceToIsocenterDistance><SourceToDetectorDistance>1500</SourceToDetectorDistance>"
                             "<CollimationVSup>12</CollimationVSup><Projection><GantryAngle>0</GantryAngle>"
                             "</Projection></RTKThreeDCircularGeometry>";
  Pipeline pipeline(context());
  pipeline.add_output("result", pipeline.add<ProjectionsSource>("read", {.path = stack, .geometry = geometry}).output);
  EXPECT_THAT(pipeline.prepare().report(), ::testing::HasSubstr("has CollimationVSup, which is not applied"));
}

TEST(ProjectionsSource, WarnsOfWholeNumbersThatAreNotCalledCountsAndOfDataThatAreLeft) {
  const TemporaryFolder folder;
  std::ofstream(folder / "a.mhd") << "NDims = 3\nDimSize = 7 5 1\nElementType = MET_USHORT\nElementDataFile = a.raw\n";
  write_bytes(folder / "a.raw", std::vector<char>(140));
  std::ofstream(folder / "a.csv") << "gantry_angle_deg,source_to_isocenter_mm,source_to_detector_mm\n0,500,800\n";
  const auto report = [&](const char* unit) {
    Pipeline pipeline(context());
    const ProjectionsSource::Params params{
        .path = (folder / "a.mhd").string(), .geometry = (folder / "a.csv").string(), .unit = unit};
    pipeline.add_output("result", pipeline.add<ProjectionsSource>("read", params).output);
    return pipeline.prepare().report();
  };
  EXPECT_THAT(report("1"), ::testing::HasSubstr("holds whole numbers (uint16), and its unit is 1"));
  EXPECT_THAT(report("counts"), ::testing::Not(::testing::HasSubstr("holds whole numbers")));
  EXPECT_THAT(report("counts"), ::testing::HasSubstr("goes on for 70 bytes"));
}

TEST(ProjectionsSink, RefusesWhatAFormatCannotHold) {
  const TemporaryFolder folder;
  Scan scan(orbit.build());
  const std::string stack = (folder / "a.mha").string();
  expect_failure([&] { write({.path = stack, .geometry = (folder / "a.json").string()}, scan.payload); },
                 ErrorCode::unsupported, {"'write'", "a.json", ".xml (RTK), .txt (3x4 matrices) or .csv"});
  scan.views[2].u_step_mm[2] += 0.1;
  set_views(scan.payload, scan.views);
  expect_failure([&] { write({.path = stack, .geometry = (folder / "a.xml").string()}, scan.payload); },
                 ErrorCode::unsupported, {"view 2"});
  write({.path = stack, .geometry = (folder / "a.txt").string()}, scan.payload);
  expect_same_projection(scan, read({.path = stack, .geometry = (folder / "a.txt").string()}));
  set_views(scan.payload, std::span(scan.views).first(3));
  expect_failure([&] { write({.path = stack, .geometry = (folder / "b.txt").string()}, scan.payload); },
                 ErrorCode::bad_data, {"there are 4 projections and 3 views"});
  std::vector<View> twice = scan.views;
  twice.insert(twice.end(), scan.views.begin(), scan.views.end());
  set_views(scan.payload, twice);
  set_view_blocks(scan.payload, 2);
  expect_failure([&] { write({.path = stack, .geometry = (folder / "b.txt").string()}, scan.payload); },
                 ErrorCode::unsupported, {"the scan comes in 2 blocks, and this node needs all views at once"});
}

}  // namespace
}  // namespace isocenter
