#pragma once
// Builders of the usual scans beside the full circle: each gives the View list of acquisition.hpp, in the patient frame
// (LPS, mm; x to the patient's left, y to the back, z to the head) with the isocentre at its origin.
//
//   scan                        builder
//   parallel beam, 2-D or 3-D   CircularOrbit{.rows = 1 or more, .arc_rad = π, .beam = Beam::parallel}
//   fan beam, flat or curved    CircularOrbit{.rows = 1, .detector = DetectorShape::flat or curved}
//   circular cone beam          CircularOrbit
//   short scan                  short_scan(orbit)
//   displaced detector          displaced_detector(orbit, overlap_mm)
//   helical                     HelicalOrbit
//   tomosynthesis               TomosynthesisArc, TomosynthesisLine
//   any of them, misaligned     misaligned(views, ...)
#include <algorithm>
#include <cstdint>
#include <isocenter/recon/acquisition.hpp>

namespace isocenter::inline v1 {

/// The angle between the central ray and the detector's edge that is farther from it, rad; 0 with a parallel beam.
inline double half_fan_angle_rad(const CircularOrbit& orbit) {
  if (orbit.beam == Beam::parallel) return 0.0;
  const double edge = 0.5 * orbit.columns * orbit.column_step_mm + std::fabs(orbit.detector_offset_u_mm);
  return orbit.detector == DetectorShape::curved ? edge / orbit.source_to_detector_mm
                                                 : std::atan(edge / orbit.source_to_detector_mm);
}

/// The shortest scan in which every ray through the field of view is measured: 180 degrees plus the fan angle (Parker,
/// Med. Phys. 9 (1982) 254), from the first view to the last, both included. Keeps the sense of the orbit's arc.
inline CircularOrbit short_scan(CircularOrbit orbit) {
  const double span = std::numbers::pi + 2.0 * half_fan_angle_rad(orbit);
  orbit.arc_rad = std::copysign(span * orbit.views / std::max(orbit.views - 1, 1), orbit.arc_rad);
  return orbit;
}

/// Shifts the detector along its rows until it reaches only overlap_mm beyond the central ray on its first columns'
/// side: a full circle then covers almost twice the field of view.
inline CircularOrbit displaced_detector(CircularOrbit orbit, double overlap_mm) {
  orbit.detector_offset_u_mm = 0.5 * orbit.columns * orbit.column_step_mm - overlap_mm;
  return orbit;
}

/// A source that turns around the patient's z axis while it moves along it. `turn` gives everything but z: its arc_rad
/// is the angle of all rotations together.
struct HelicalOrbit {
  CircularOrbit turn{.arc_rad = 4 * std::numbers::pi};
  /// The way along z in one rotation, in parts of the rows' height at the isocentre (CT pitch factor of IEC 60601-2-44,
  /// of the whole collimation). Positive: towards the head as the gantry angle grows.
  double pitch = 1;
  double centre_z_mm = 0;  ///< of the way from the first view to the last

  double feed_per_rotation_mm() const {
    const double magnification =
        turn.beam == Beam::parallel ? 1.0 : turn.source_to_detector_mm / turn.source_to_isocenter_mm;
    return pitch * turn.rows * turn.row_step_mm / magnification;
  }
  double z_mm(int n) const {
    const double middle = 0.5 * (turn.angle_rad(0) + turn.angle_rad(turn.views - 1));
    return centre_z_mm + feed_per_rotation_mm() * (turn.angle_rad(n) - middle) / (2.0 * std::numbers::pi);
  }
  std::vector<View> build() const {
    std::vector<View> list = turn.build();
    for (int n = 0; n < turn.views; ++n) {
      View& view = list[static_cast<std::size_t>(n)];
      if (turn.beam == Beam::cone) view.source_mm[2] += z_mm(n);
      view.detector_origin_mm[2] += z_mm(n);
    }
    return list;
  }
};

/// The flat detector of tomosynthesis: at rest behind the patient at y = detector_y_mm, its centre at x = offset_u_mm,
/// z = offset_v_mm; columns along +x, rows along +z.
struct RestingDetector {
  int columns = 256;
  int rows = 256;
  double column_step_mm = 2;
  double row_step_mm = 2;
  double y_mm = 300;
  double offset_u_mm = 0;
  double offset_v_mm = 0;

  /// A view from this source.
  View seen_from(const Vector3& source_mm) const {
    return {.source_mm = source_mm,
            .detector_origin_mm = {offset_u_mm - 0.5 * (columns - 1) * column_step_mm, y_mm,
                                   offset_v_mm - 0.5 * (rows - 1) * row_step_mm},
            .u_step_mm = {column_step_mm, 0, 0},
            .v_step_mm = {0, 0, row_step_mm}};
  }
};

/// Along which detector axis the source of tomosynthesis sweeps.
enum class Sweep { along_columns, along_rows };

/// The source on an arc around the isocentre, the detector at rest: view n at -arc/2 + n * arc / (views - 1) from the
/// detector's normal, first towards -x (or -z), last towards +x (or +z).
struct TomosynthesisArc {
  int views = 25;
  RestingDetector detector;
  double source_to_isocenter_mm = 1000;
  double arc_rad = 50 * std::numbers::pi / 180;
  Sweep sweep = Sweep::along_columns;
  double seconds = 10;  ///< for the sweep; view n is taken at n * seconds / views

  std::vector<View> build() const {
    std::vector<View> list(static_cast<std::size_t>(views));
    for (int n = 0; n < views; ++n) {
      const double angle = views > 1 ? arc_rad * (static_cast<double>(n) / (views - 1) - 0.5) : 0.0;
      const double across = source_to_isocenter_mm * std::sin(angle), y = -source_to_isocenter_mm * std::cos(angle);
      View& view = list[static_cast<std::size_t>(n)];
      view = detector.seen_from(sweep == Sweep::along_columns ? Vector3{across, y, 0} : Vector3{0, y, across});
      view.time_s = n * seconds / views;
    }
    return list;
  }
};

/// The source on a straight line parallel to the detector: view n at -travel/2 + n * travel / (views - 1). The detector
/// moves by detector_travel_mm over the sweep, or rests (0); the opposite sign is that of classical linear tomography.
struct TomosynthesisLine {
  int views = 25;
  RestingDetector detector;
  double source_to_isocenter_mm = 1000;
  double travel_mm = 900;
  double detector_travel_mm = 0;
  Sweep sweep = Sweep::along_columns;
  double seconds = 10;  ///< for the sweep; view n is taken at n * seconds / views

  std::vector<View> build() const {
    std::vector<View> list(static_cast<std::size_t>(views));
    const std::size_t axis = sweep == Sweep::along_columns ? 0 : 2;
    for (int n = 0; n < views; ++n) {
      const double part = views > 1 ? static_cast<double>(n) / (views - 1) - 0.5 : 0.0;
      Vector3 source{0, -source_to_isocenter_mm, 0};
      source[axis] = part * travel_mm;
      View& view = list[static_cast<std::size_t>(n)];
      view = detector.seen_from(source);
      view.detector_origin_mm[axis] += part * detector_travel_mm;
      view.time_s = n * seconds / views;
    }
    return list;
  }
};

/// How far a real gantry is from its builder: the sizes of uniform errors, drawn for each view from the seed.
struct Misalignment {
  double shift_mm = 0;           ///< of source and detector together, along each axis
  double turn_rad = 0;           ///< of source and detector together around the isocentre, about each axis
  double detector_shift_mm = 0;  ///< of the detector alone, along each axis; flat detectors only
  double detector_turn_rad = 0;  ///< of the detector alone around its centre, about each axis; flat detectors only
  std::uint64_t seed = 1;
};

/// Turns about the x, then the y, then the z axis of the patient frame.
inline Vector3 turned(Vector3 p, const Vector3& angles_rad) {
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const double c = std::cos(angles_rad[axis]), s = std::sin(angles_rad[axis]);
    double &a = p[(axis + 1) % 3], &b = p[(axis + 2) % 3];
    const double a0 = a;
    a = c * a0 - s * b;
    b = s * a0 + c * b;
  }
  return p;
}

/// The views with an error each, for tests of methods that take calibrated geometries. The draws are splitmix64
/// (Steele, Lea and Flood, OOPSLA 2014), so that they are the same everywhere.
inline std::vector<View> misaligned(std::vector<View> views, Beam beam, int columns, int rows, const Misalignment& m) {
  std::uint64_t state = m.seed;
  const auto draw = [&state](double size) {
    std::uint64_t z = (state += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    z ^= z >> 31;
    return size * (static_cast<double>(z >> 11) * 0x1p-52 - 1.0);
  };
  const auto draw3 = [&](double size) {
    const double x = draw(size), y = draw(size), z = draw(size);
    return Vector3{x, y, z};
  };
  for (View& v : views) {
    const Vector3 shift = draw3(m.shift_mm), turn = draw3(m.turn_rad);
    const Vector3 detector_shift = draw3(m.detector_shift_mm), detector_turn = draw3(m.detector_turn_rad);
    const Vector3 centre = v.element_mm(0.5 * (columns - 1), 0.5 * (rows - 1));
    v.detector_origin_mm = detail::plus(detail::plus(centre, detector_shift),
                                        turned(detail::minus(v.detector_origin_mm, centre), detector_turn));
    v.u_step_mm = turned(turned(v.u_step_mm, detector_turn), turn);
    v.v_step_mm = turned(turned(v.v_step_mm, detector_turn), turn);
    v.detector_origin_mm = detail::plus(turned(v.detector_origin_mm, turn), shift);
    v.source_mm = turned(v.source_mm, turn);
    if (beam == Beam::cone) v.source_mm = detail::plus(v.source_mm, shift);
  }
  return views;
}

}  // namespace isocenter::inline v1
