#include "recon/acquisition_check.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "recon/correction_input.hpp"
#include "recon/view_blocks.hpp"

namespace isocenter::detail {

namespace {

constexpr double pi = std::numbers::pi;
constexpr double shortest_mm = 1.0, longest_mm = 1e5;
constexpr double right_angle = 1e-4, unit_length = 1e-6, edge_on = 1e-3;

std::string number(double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", v);
  return text;
}
std::string mm(double v) { return number(v) + " mm"; }
std::string degrees(double rad) { return number(rad * 180.0 / pi) + " deg"; }
std::string name_of(std::size_t n) { return "view " + std::to_string(n); }

[[noreturn]] void refuse(const std::string& what, const std::string& fix) {
  throw Failure(ErrorCode::bad_data, what, fix);
}

Vector3 centre_of_detector(const Acquisition& scan, const View& v) {
  return v.element_mm(0.5 * (scan.columns - 1), 0.5 * (scan.rows - 1), scan.detector);
}

/// The direction of the ray that meets the detector's centre.
Vector3 direction_of(const Acquisition& scan, const View& v) {
  return scan.beam == Beam::parallel ? v.source_mm : unit(minus(centre_of_detector(scan, v), v.source_mm));
}

void check_numbers(const View& v, std::size_t n) {
  const std::pair<const char*, const Vector3*> members[] = {{"source_mm", &v.source_mm},
                                                            {"detector_origin_mm", &v.detector_origin_mm},
                                                            {"u_step_mm", &v.u_step_mm},
                                                            {"v_step_mm", &v.v_step_mm}};
  for (const auto& [name, p] : members)
    for (std::size_t k = 0; k < 3; ++k)
      if (!std::isfinite((*p)[k]))
        refuse(name_of(n) + " has " + name + "[" + std::to_string(k) + "] = " + number((*p)[k]) +
                   " in acquisition.views, a position that is not a number",
               "check the geometry of this view");
}

void check_steps(const View& v, std::size_t n, bool right_angles) {
  const double u = length(v.u_step_mm), w = length(v.v_step_mm);
  if (!(u > 0.0) || !(w > 0.0))
    refuse(name_of(n) + " has detector steps of " + mm(u) + " between columns and " + mm(w) +
               " between rows, which must be above 0",
           "give u_step_mm and v_step_mm of this view: the distance between detector columns and rows in mm");
  if (std::max(u, w) > 1000.0 || std::min(u, w) < 1e-6)
    refuse(
        name_of(n) + " has detector steps of " + mm(u) + " and " + mm(w) + ", and detectors have 1e-06 mm to 1000 mm",
        "give lengths in mm, not in m or um");
  const double cosine = dot(v.u_step_mm, v.v_step_mm) / (u * w);
  if (length(cross(v.u_step_mm, v.v_step_mm)) < 1e-3 * u * w)
    refuse(name_of(n) + " has detector columns that step along the rows (u_step_mm and v_step_mm are parallel)",
           "give the two directions of the detector's plane");
  if (right_angles && std::fabs(cosine) > right_angle)
    throw Failure(ErrorCode::unsupported,
                  name_of(n) + " has a detector whose columns and rows are not at right angles but at " +
                      degrees(std::acos(std::clamp(cosine, -1.0, 1.0))),
                  "resample the projections onto a detector with orthogonal axes");
}

void check_parallel_ray(const View& v, std::size_t n) {
  const double ray = length(v.source_mm);
  if (std::fabs(ray - 1.0) > unit_length)
    refuse(name_of(n) + " has a ray direction of length " + number(ray) +
               " in source_mm, and with acquisition.beam = parallel it is a unit vector",
           "divide it by its length, or set acquisition.beam to cone if it is a position");
  const Vector3 normal = unit(cross(v.u_step_mm, v.v_step_mm));
  if (std::fabs(dot(normal, v.source_mm)) < edge_on)
    refuse(name_of(n) + " has rays that run in the detector's plane", "check source_mm, u_step_mm and v_step_mm");
}

void check_flat_cone(const View& v, std::size_t n, const Vector3& centre) {
  const Vector3 out = minus(centre, v.source_mm);
  const double distance = length(out);
  const double depth = std::fabs(dot(unit(cross(v.u_step_mm, v.v_step_mm)), out));
  if (!(depth > edge_on * distance))
    refuse(name_of(n) + " has its source in the detector's plane (" + mm(depth) + " from it, " + mm(distance) +
               " from the detector's centre)",
           "check source_mm, detector_origin_mm, u_step_mm and v_step_mm of this view");
}

void check_curved(const Acquisition& scan, const View& v, std::size_t n) {
  const Vector3 out = v.radius_to_column_0();
  const double radius = length(out), step = length(v.u_step_mm);
  if (!(radius > 0.0))
    refuse(name_of(n) + " has its focal spot on the curved detector", "check source_mm and detector_origin_mm");
  if (std::fabs(dot(v.u_step_mm, v.v_step_mm)) > right_angle * step * length(v.v_step_mm) ||
      std::fabs(dot(v.u_step_mm, out)) > right_angle * step * radius)
    refuse(name_of(n) +
               " has a curved detector whose columns do not step along a cylinder around the focal spot (u_step_mm is "
               "not at right angles to v_step_mm and to the line from the focal spot)",
           "give u_step_mm tangent to the detector at column 0, or set acquisition.detector to flat");
  const double fan = scan.columns * step / radius;
  if (fan >= pi)
    refuse(
        name_of(n) + " has a curved detector of " + degrees(fan) + " around the focal spot, and 180 deg is the limit",
        "check the number of columns, u_step_mm and source_mm of this view");
}

/// Which way the picture is turned: above 0 when columns to the right and rows upwards are seen from the source.
double handedness(const Acquisition& scan, const View& v) {
  const Vector3 towards = scan.detector == DetectorShape::curved ? v.radius_to_column_0() : direction_of(scan, v);
  return -dot(cross(v.u_step_mm, v.v_step_mm), towards);
}

void check_views(const Acquisition& scan, const AcquisitionNeeds& needs) {
  const bool parallel = scan.beam == Beam::parallel, curved = scan.detector == DetectorShape::curved;
  double first_hand = 0.0;
  for (std::size_t n = 0; n < scan.views.size(); ++n) {
    const View& v = scan.views[n];
    check_numbers(v, n);
    check_steps(v, n, needs.orthogonal_steps && !curved);
    if (parallel)
      check_parallel_ray(v, n);
    else if (curved)
      check_curved(scan, v, n);
    if (!parallel) {
      const Vector3 centre = centre_of_detector(scan, v);
      const double distance = length(minus(centre, v.source_mm));
      if (!curved) check_flat_cone(v, n, centre);
      if (distance < shortest_mm || distance > longest_mm)
        refuse(name_of(n) + " has its source " + mm(distance) + " from its detector, and scanners have " +
                   mm(shortest_mm) + " to " + mm(longest_mm),
               "give lengths in mm, not in m or um");
    }
    const double hand = handedness(scan, v);
    if (n == 0) first_hand = hand;
    if (hand * first_hand < 0.0)
      refuse(name_of(n) + " has a detector that is mirrored against view 0 (u_step_mm x v_step_mm points " +
                 (hand > 0.0 ? "to" : "away from") + " the source, and in view 0 " + (hand > 0.0 ? "away from" : "to") +
                 " it)",
             "give columns and rows of all views in the same sense, and check on which side of the source the detector "
             "lies");
  }
}

struct Gap {
  double width;
  std::size_t after;
};

/// The gaps between neighbouring directions around the axis to which they are most nearly at right angles, the widest
/// first.
std::vector<Gap> gaps_of(const Acquisition& scan) {
  Eigen::Matrix3d spread = Eigen::Matrix3d::Zero();
  std::vector<Eigen::Vector3d> directions;
  for (const View& v : scan.views) {
    const Vector3 d = direction_of(scan, v);
    directions.emplace_back(d[0], d[1], d[2]);
    spread += directions.back() * directions.back().transpose();
  }
  const Eigen::SelfAdjointEigenSolver<Eigen::Matrix3d> solver(spread);
  const Eigen::Vector3d e1 = solver.eigenvectors().col(2), e2 = solver.eigenvectors().col(1);
  std::vector<std::pair<double, std::size_t>> angle;
  for (std::size_t n = 0; n < directions.size(); ++n)
    angle.emplace_back(std::atan2(directions[n].dot(e2), directions[n].dot(e1)), n);
  std::sort(angle.begin(), angle.end());
  std::vector<Gap> gaps;
  for (std::size_t i = 0; i < angle.size(); ++i) {
    const bool last = i + 1 == angle.size();
    gaps.push_back({angle[last ? 0 : i + 1].first - angle[i].first + (last ? 2.0 * pi : 0.0), angle[i].second});
  }
  std::sort(gaps.begin(), gaps.end(), [](const Gap& a, const Gap& b) { return a.width > b.width; });
  return gaps;
}

void check_gaps(const Acquisition& scan, const AcquisitionNeeds& needs) {
  const std::vector<Gap> gaps = gaps_of(scan);
  // An open arc has one gap that is no fault: the part of the circle that it leaves out.
  const std::size_t counts = needs.full_turn ? 0 : 1;
  if (gaps.size() > counts && gaps[counts].width > needs.largest_gap_rad)
    refuse("the scan has no view over " + degrees(gaps[counts].width) + " next to " + name_of(gaps[counts].after) +
               ", and " + needs.method + " is allowed " + degrees(needs.largest_gap_rad),
           needs.full_turn ? "scan a full circle, take more views, or allow a larger gap"
                           : "take more views, or allow a larger gap");
}

/// How many views differ in a number of their geometry.
std::size_t distinct_views(const Acquisition& scan) {
  using Numbers = std::array<Vector3, 4>;
  std::vector<Numbers> views;
  for (const View& v : scan.views) views.push_back({v.source_mm, v.detector_origin_mm, v.u_step_mm, v.v_step_mm});
  std::sort(views.begin(), views.end());
  return static_cast<std::size_t>(std::unique(views.begin(), views.end()) - views.begin());
}

}  // namespace

std::vector<AcquisitionWarning> check_arc(const Acquisition& scan) {
  constexpr double circle_in_radians = 2.0 * pi * pi / 180.0, one_way = 1e-6;
  const std::size_t count = scan.views.size();
  if (count < 2) return {};
  const double arc = std::max(0.0, 2.0 * pi - gaps_of(scan).front().width);
  const bool turns_little = count >= 8 && arc > one_way && arc <= circle_in_radians;
  if (arc > circle_in_radians) return {};
  const std::size_t distinct = distinct_views(scan);
  if (distinct > 1 && !turns_little) return {};
  return {
      {"the " + std::to_string(count) + " views, " + std::to_string(distinct) + " of them distinct, see an arc of " +
           (arc > one_way ? degrees(arc) : "0 deg") +
           ", from which hardly anything is known of the depth along their rays",
       "check the angles of the geometry, which are in degrees and not in radians, and that each view has its own"}};
}

Acquisition read_acquisition(const Payload& projections, std::int64_t blocks) {
  const TensorView tensor = projections.tensor("views");
  const std::size_t given = projections.numbers("acquisition.views").size();
  if (given == 0)
    refuse("the projections have no attribute acquisition.views",
           "set one View for each projection (isocenter/recon/acquisition.hpp)");
  if (given % numbers_per_view != 0)
    refuse("acquisition.views has " + std::to_string(given) + " numbers, which is no multiple of " +
               std::to_string(numbers_per_view),
           "set it with set_views (isocenter/recon/acquisition.hpp)");
  Acquisition scan;
  scan.views = views_of(projections);
  scan.beam = beam_of(projections);
  scan.detector = detector_of(projections);
  scan.rows = static_cast<int>(tensor.extent('v'));
  scan.columns = static_cast<int>(tensor.extent('u'));
  if (blocks == 1) require_whole_scan(projections, tensor.extent('n'));
  if (static_cast<std::int64_t>(scan.views.size()) != blocks * tensor.extent('n'))
    refuse("there are " + std::to_string(blocks) + " blocks of " + std::to_string(tensor.extent('n')) +
               " projections and " + std::to_string(scan.views.size()) + " views in acquisition.views",
           "give one View for each projection");
  if (tensor.type() != DType::float32)
    refuse("the projections are not float32", "convert them to line integrals in float32");
  const std::string beam = projections.text("acquisition.beam"), shape = projections.text("acquisition.detector");
  if (!beam.empty() && beam != "cone" && beam != "parallel")
    refuse("acquisition.beam is \"" + beam + "\", and cone and parallel are known",
           "use cone for every beam from a focal spot");
  if (!shape.empty() && shape != "flat" && shape != "curved")
    refuse("acquisition.detector is \"" + shape + "\", and flat and curved are known",
           "use curved for a cylinder around the focal spot, flat for a plane");
  return scan;
}

void check_acquisition(const Acquisition& scan, const AcquisitionNeeds& needs) {
  const auto unsupported = [&](bool is, const std::string& what, const char* fix) {
    if (is) throw Failure(ErrorCode::unsupported, what, fix);
  };
  const std::string method = needs.method;
  if (scan.views.empty() || scan.views.size() < needs.least_views)
    refuse(
        "there " +
            std::string(scan.views.size() == 1 ? "is 1 view" : "are " + std::to_string(scan.views.size()) + " views") +
            " in acquisition.views, and " + method + " needs at least " +
            std::to_string(std::max<std::size_t>(needs.least_views, 1)),
        "give all views of the scan");
  unsupported(needs.cone_beam && scan.beam != Beam::cone,
              "acquisition.beam is parallel, and " + method + " takes a cone beam", "acquire with a cone or fan beam");
  unsupported(needs.parallel_beam && scan.beam != Beam::parallel,
              "acquisition.beam is cone, and " + method + " takes a parallel beam",
              "rebin the projections to a parallel beam");
  unsupported(needs.flat_detector && scan.detector != DetectorShape::flat,
              "acquisition.detector is curved, and " + method + " takes a flat detector",
              "resample the projections onto a flat detector");
  unsupported(
      scan.beam == Beam::parallel && scan.detector == DetectorShape::curved,
      "acquisition.detector is curved with acquisition.beam = parallel, and a curved detector lies around a focal spot",
      "set acquisition.detector to flat");
  check_views(scan, needs);
  if (needs.largest_gap_rad > 0.0) check_gaps(scan, needs);
}

namespace {

constexpr double on_detector = 1e-6;  // a virtual detector may stand at the volume's centre
constexpr int lattice = 9;  // points along each axis of the volume, from the first voxel's centre to the last one's

/// A point in voxels of the grid.
Vector3 voxels_of(const VolumeGrid& grid, const Vector3& point) {
  const Vector3 d = minus(point, {grid.geometry.origin_mm[0], grid.geometry.origin_mm[1], grid.geometry.origin_mm[2]});
  Vector3 index{};
  for (std::size_t k = 0; k < 3; ++k)
    index[k] = dot(grid.geometry.axis(static_cast<int>(k)), d) / grid.geometry.spacing_mm[k];
  return index;
}

/// From the source to the detector: along the normal of a flat one, the radius of a curved one.
double distance_of_detector(const Acquisition& scan, const View& v) {
  if (scan.detector == DetectorShape::curved) return length(v.radius_to_column_0());
  return std::fabs(dot(unit(cross(v.u_step_mm, v.v_step_mm)), minus(v.detector_origin_mm, v.source_mm)));
}

void check_sources(const Acquisition& scan, const VolumeGrid& grid) {
  const Vector3 last{static_cast<double>(grid.nx - 1), static_cast<double>(grid.ny - 1),
                     static_cast<double>(grid.nz - 1)};
  const Vector3 centre = grid.geometry.position_mm(0.5 * last[0], 0.5 * last[1], 0.5 * last[2]);
  for (std::size_t n = 0; n < scan.views.size(); ++n) {
    const View& v = scan.views[n];
    const Vector3 index = voxels_of(grid, v.source_mm);
    bool inside = true;
    for (std::size_t k = 0; k < 3; ++k) inside &= index[k] >= -0.5 && index[k] <= last[k] + 0.5;
    if (inside)
      refuse("the source of " + name_of(n) + " lies inside the volume, at voxel (" + number(index[0]) + ", " +
                 number(index[1]) + ", " + number(index[2]) + ")",
             "make the volume smaller or move it, or check source_mm of this view");
    const double depth = detector_point(v, scan.beam, scan.detector, centre).depth;
    if (depth <= 0.0)
      refuse("in " + name_of(n) + " the source lies between the detector and the volume's centre",
             "check source_mm, detector_origin_mm and the place of the volume");
    const double distance = distance_of_detector(scan, v);
    if (depth > 1.0 + on_detector)
      refuse("in " + name_of(n) + " the detector, " + mm(distance) +
                 " from the source, stands before the volume's centre, which is " + mm(depth * distance) + " from it",
             "check the distance from source to detector, detector_origin_mm and the place of the volume");
  }
}

/// A detector that stands further within the volume than the outermost voxels, seen along the volume's axes; which one
/// stands deepest.
void warn_of_detectors_inside(const Acquisition& scan, const VolumeGrid& grid,
                              std::vector<AcquisitionWarning>* warnings) {
  const double n[3] = {static_cast<double>(grid.nx), static_cast<double>(grid.ny), static_cast<double>(grid.nz)};
  double deepest = 0.0;
  std::size_t view = 0;
  for (int face = 0; face < 6; ++face) {
    double index[3];
    for (int k = 0; k < 3; ++k) index[k] = 0.5 * (n[k] - 1.0);
    // The middle of a face's voxels: corners, which a volume around the axis has outside of the field of view, pass.
    index[face / 2] = face % 2 == 0 ? 0.0 : n[face / 2] - 1.0;
    const Vector3 point = grid.geometry.position_mm(index[0], index[1], index[2]);
    for (std::size_t i = 0; i < scan.views.size(); ++i) {
      const double behind = (detector_point(scan.views[i], scan.beam, scan.detector, point).depth - 1.0) *
                            distance_of_detector(scan, scan.views[i]);
      if (behind > grid.geometry.spacing_mm[static_cast<std::size_t>(face / 2)] && behind > deepest)
        deepest = behind, view = i;
    }
  }
  if (deepest > 0.0)
    warnings->push_back({"the detector of " + name_of(view) + " stands " + mm(deepest) +
                             " within the volume; nothing can be where a detector is",
                         "make the volume smaller, or check the distance from source to detector"});
}

bool sees(const Acquisition& scan, const View& v, const Vector3& point) {
  const DetectorPoint p = detector_point(v, scan.beam, scan.detector, point);
  return (scan.beam == Beam::parallel || p.depth > 0.0) && p.column >= -0.5 && p.column <= scan.columns - 0.5 &&
         p.row >= -0.5 && p.row <= scan.rows - 0.5;
}

/// The part of the volume that some view sees, from a lattice of points.
double fraction_seen(const Acquisition& scan, const VolumeGrid& grid) {
  const std::int64_t n[3] = {grid.nx, grid.ny, grid.nz};
  int count[3];
  for (std::size_t k = 0; k < 3; ++k) count[k] = n[k] > 1 ? lattice : 1;
  const auto place = [&](std::size_t k, int i) {
    return count[k] == 1 ? 0.0 : static_cast<double>(n[k] - 1) * i / (lattice - 1);
  };
  std::size_t seen = 0, last_seen_by = 0;
  for (int z = 0; z < count[2]; ++z)
    for (int y = 0; y < count[1]; ++y)
      for (int x = 0; x < count[0]; ++x) {
        const Vector3 point = grid.geometry.position_mm(place(0, x), place(1, y), place(2, z));
        // Neighbouring points are mostly seen by the same view.
        for (std::size_t i = 0; i < scan.views.size(); ++i) {
          const std::size_t view = (last_seen_by + i) % scan.views.size();
          if (!sees(scan, scan.views[view], point)) continue;
          ++seen;
          last_seen_by = view;
          break;
        }
      }
  return static_cast<double>(seen) / (count[0] * count[1] * count[2]);
}

}  // namespace

std::vector<AcquisitionWarning> check_volume(const Acquisition& scan, const VolumeGrid& grid) {
  if (scan.beam == Beam::cone) check_sources(scan, grid);
  const double seen = fraction_seen(scan, grid);
  if (seen == 0.0)
    refuse("no view sees any of the volume (" + std::to_string(grid.nx) + " x " + std::to_string(grid.ny) + " x " +
               std::to_string(grid.nz) + " voxels from (" + number(grid.geometry.origin_mm[0]) + ", " +
               number(grid.geometry.origin_mm[1]) + ", " + number(grid.geometry.origin_mm[2]) +
               ") mm); view 0 is at (" + number(scan.views[0].source_mm[0]) + ", " +
               number(scan.views[0].source_mm[1]) + ", " + number(scan.views[0].source_mm[2]) + ")",
           "move the volume into the field of view, or check the geometry's origin and units (mm)");
  std::vector<AcquisitionWarning> warnings;
  if (seen < 1.0)
    warnings.push_back({"no view sees " + number(std::ceil(1000.0 * (1.0 - seen)) / 10.0) +
                            " % of the volume; what is there is not measured",
                        "make the volume smaller or move it into the field of view"});
  if (scan.beam == Beam::cone) warn_of_detectors_inside(scan, grid, &warnings);
  return warnings;
}

void warn_of_unseen_side(PlanContext& plan, double field_mm, double longer_side_mm) {
  if (field_mm > 0.8 * longer_side_mm) return;
  plan.warn("the detector is displaced and the views are no full circle: one side sees " + number(longer_side_mm) +
                " mm from the axis, the other " + number(field_mm) +
                " mm, and where the object is larger than that all values are wrong",
            "scan a full circle, centre the detector, or set truncation");
}

Acquisition check_acquisition(PlanContext& plan, const char* port, const AcquisitionNeeds& needs,
                              const VolumeGrid* grid, std::int64_t blocks) {
  const Acquisition scan = read_acquisition(plan.input(port), blocks);
  if (!needs.any_unit) check_line_integrals(plan.input(port), port);
  check_acquisition(scan, needs);
  if (!needs.any_arc)
    for (const AcquisitionWarning& w : check_arc(scan)) plan.warn(w.what, w.fix);
  if (grid != nullptr)
    for (const AcquisitionWarning& w : check_volume(scan, *grid)) plan.warn(w.what, w.fix);
  return scan;
}

}  // namespace isocenter::detail
