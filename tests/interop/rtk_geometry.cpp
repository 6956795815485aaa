// Our side of rtk_geometry.py: scans of an ellipsoid as raw float32 stacks, each with its geometry as RTK's XML and as
// matrices from the patient frame to elements.
//
//   rtk_geometry <folder>    writes <scan>.raw, <scan>.xml, <scan>.txt and scans.txt, a line for each scan:
//                            name columns rows views first_u first_v step_u step_v (mm)
#include <cstdio>
#include <fstream>
#include <isocenter/recon/orbits.hpp>

#include "phantom/raw_data.hpp"
#include "recon/geometry_file.hpp"
#include "test_launcher.hpp"

namespace {

using namespace isocenter;
using namespace isocenter::detail;

constexpr int columns = 40, rows = 24;
constexpr DetectorSampling sampling{-0.5 * (columns - 1) * 9, -0.5 * (rows - 1) * 11, 9, 11};

/// Half axes 60, 90 and 45 mm along the patient's x, y and z, at (10, -15, 20) mm; rtk_geometry.py has the same.
Solids ellipsoid() {
  Solids solids;
  solids.list = {make_solid(Solid::ellipsoid, {10, -15, 20}, {60, 90, 45}, no_turn, 1.0, label_soft_tissue)};
  return solids;
}

void write(const std::string& folder, const char* name, std::vector<View> views, Beam beam = Beam::cone,
           DetectorShape detector = DetectorShape::flat) {
  const std::string path = folder + "/" + name;
  std::ofstream raw(path + ".raw", std::ios::binary);
  std::vector<float> image(static_cast<std::size_t>(columns * rows));
  for (const View& v : views) {
    project(testing::launcher_with(1), ellipsoid(), v, beam, rows, columns, 1.0, image.data(), detector);
    raw.write(reinterpret_cast<const char*>(image.data()), static_cast<std::streamsize>(image.size() * sizeof(float)));
  }
  ScanGeometry scan;
  scan.views = std::move(views);
  scan.beam = beam;
  scan.detector = detector;
  std::ofstream(path + ".xml") << rtk_geometry_text(scan, sampling);
  if (detector == DetectorShape::flat) std::ofstream(path + ".txt") << matrices_text(scan);
  std::ofstream(folder + "/scans.txt", std::ios::app)
      << name << ' ' << columns << ' ' << rows << ' ' << scan.views.size() << ' ' << sampling.first_u_mm << ' '
      << sampling.first_v_mm << ' ' << sampling.step_u_mm << ' ' << sampling.step_v_mm << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: rtk_geometry <folder>\n");
    return 2;
  }
  const std::string folder = argv[1];
  CircularOrbit orbit{.views = 24,
                      .columns = columns,
                      .rows = rows,
                      .source_to_isocenter_mm = 700,
                      .source_to_detector_mm = 1150,
                      .column_step_mm = 9,
                      .row_step_mm = 11};
  write(folder, "circle", orbit.build());
  write(folder, "displaced", displaced_detector(orbit, 40).build());
  write(folder, "short_scan", short_scan(orbit).build());
  HelicalOrbit helix{orbit, 0.4};
  helix.turn.arc_rad = 4 * std::numbers::pi;
  write(folder, "helix", helix.build());
  write(folder, "misaligned",
        misaligned(helix.build(), Beam::cone, columns, rows,
                   {.shift_mm = 4, .turn_rad = 0.03, .detector_shift_mm = 3, .detector_turn_rad = 0.15}));
  const RestingDetector resting{.columns = columns, .rows = rows, .column_step_mm = 9, .row_step_mm = 11, .y_mm = 250};
  write(folder, "tomosynthesis_arc", TomosynthesisArc{.detector = resting}.build());
  write(folder, "tomosynthesis_line",
        TomosynthesisLine{.detector = resting, .detector_travel_mm = -200, .sweep = Sweep::along_rows}.build());
  helix.turn.detector = DetectorShape::curved;
  helix.turn.detector_offset_u_mm = 25;
  write(folder, "helix_curved", misaligned(helix.build(), Beam::cone, columns, rows, {.shift_mm = 2, .turn_rad = 0.02}),
        Beam::cone, DetectorShape::curved);
  orbit.beam = Beam::parallel;
  orbit.detector_offset_u_mm = -13;
  write(folder, "parallel", misaligned(orbit.build(), Beam::parallel, columns, rows, {.turn_rad = 0.05}),
        Beam::parallel);
  return 0;
}
