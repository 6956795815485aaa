#pragma once
// How projections were taken: one View for each, of any trajectory and any flat detector. A Projections payload carries
// them as the attribute "acquisition.views" (14 numbers a view, in the order of View's members), and
// "acquisition.beam".
#include <array>
#include <cmath>
#include <cstddef>
#include <isocenter/payload.hpp>
#include <numbers>
#include <span>
#include <string>
#include <vector>

namespace isocenter::inline v1 {

using Vector3 = std::array<double, 3>;

/// One view in the patient frame (LPS), mm. Detector element (column i, row j) has its centre at
/// detector_origin_mm + i * u_step_mm + j * v_step_mm.
struct View {
  Vector3 source_mm{};  ///< the focal spot; with a parallel beam the unit vector along which the rays travel
  Vector3 detector_origin_mm{};
  Vector3 u_step_mm{};  ///< from one column to the next
  Vector3 v_step_mm{};  ///< from one row to the next
  double time_s = 0;
  double phase = -1;  ///< of the motion, in [0, 1); negative: not known

  Vector3 element_mm(double i, double j) const {
    Vector3 p{};
    for (std::size_t k = 0; k < 3; ++k) p[k] = detector_origin_mm[k] + i * u_step_mm[k] + j * v_step_mm[k];
    return p;
  }
};
inline constexpr std::size_t numbers_per_view = 14;
static_assert(sizeof(View) == numbers_per_view * sizeof(double));

enum class Beam { cone, parallel };

inline void set_views(Payload& projections, std::span<const View> views, Beam beam = Beam::cone) {
  projections.set_numbers("acquisition.views",
                          {reinterpret_cast<const double*>(views.data()), views.size() * numbers_per_view});
  projections.set_text("acquisition.beam", beam == Beam::cone ? "cone" : "parallel");
}

/// The views of a payload; empty when it has none. Valid as long as the payload's attribute.
inline std::span<const View> views_of(const Payload& projections) {
  const std::span<const double> n = projections.numbers("acquisition.views");
  return {reinterpret_cast<const View*>(n.data()), n.size() / numbers_per_view};
}

inline Beam beam_of(const Payload& projections) {
  return projections.text("acquisition.beam") == "parallel" ? Beam::parallel : Beam::cone;
}

/// A circular orbit around the patient's z axis through the isocentre. At gantry angle 0 the source is anterior of the
/// patient, at 90 degrees on the patient's left (IEC 61217 for a supine patient, head first). Detector columns step
/// along the direction in which the source moves, rows along +z.
struct CircularOrbit {
  int views = 360;
  int columns = 256;
  int rows = 256;
  double source_to_isocenter_mm = 1000;
  double source_to_detector_mm = 1500;
  double column_step_mm = 2;
  double row_step_mm = 2;
  double first_angle_rad = 0;
  double arc_rad = 2 * std::numbers::pi;  ///< view n is at first_angle + n * arc / views
  double seconds = 60;                    ///< for the arc; view n is taken at n * seconds / views
  double detector_offset_u_mm = 0;        ///< of the detector's centre from the central ray, along the columns' steps
  double detector_offset_v_mm = 0;
  Beam beam = Beam::cone;

  double angle_rad(int n) const { return first_angle_rad + n * arc_rad / views; }

  std::vector<View> build() const {
    std::vector<View> list(static_cast<std::size_t>(views));
    for (int n = 0; n < views; ++n) {
      const double c = std::cos(angle_rad(n)), s = std::sin(angle_rad(n));
      const Vector3 to_source{s, -c, 0}, u{c, s, 0}, v{0, 0, 1};
      const double u0 = detector_offset_u_mm - 0.5 * (columns - 1) * column_step_mm;
      const double v0 = detector_offset_v_mm - 0.5 * (rows - 1) * row_step_mm;
      View& view = list[static_cast<std::size_t>(n)];
      for (std::size_t k = 0; k < 3; ++k) {
        view.source_mm[k] = beam == Beam::cone ? source_to_isocenter_mm * to_source[k] : -to_source[k];
        view.detector_origin_mm[k] =
            (source_to_isocenter_mm - source_to_detector_mm) * to_source[k] + u0 * u[k] + v0 * v[k];
        view.u_step_mm[k] = column_step_mm * u[k];
        view.v_step_mm[k] = row_step_mm * v[k];
      }
      view.time_s = n * seconds / views;
    }
    return list;
  }
};

}  // namespace isocenter::inline v1
