#pragma once
// From parameters in the patient frame to the cameras of an animation in voxel-aligned mm.
#include <array>
#include <isocenter/render/view_parameters.hpp>
#include <vector>

#include "core/volume_input.hpp"
#include "render/ray.hpp"

namespace isocenter::detail {

using Vector3 = std::array<double, 3>;

/// The grid's direction cosines, checked: unit length and at right angles to within 1e-3. They may be mirrored.
void check_directions(const Geometry& geometry, const char* port);

/// Turns a patient-frame direction into voxel-aligned axes.
Vector3 to_voxel_axes(const Geometry& geometry, const Vector3& patient);

struct View {
  int width, height, frames;
  CameraKind kind;
  double field_of_view_rad, zoom;
  double turn_rad, sweep_rad, elevation_rad;
  Vector3 axis;
};
template <class Params>
View view_of(const Params& p);

/// One camera and the unit vector to the key light (above the viewer's left shoulder) for each frame.
struct Shot {
  Camera camera;
  std::array<float, 3> light;
};
std::vector<Shot> orbit(const View& view, const GridShape& grid);

/// The time frame that animation frame `frame` shows.
int time_frame(int frame, int frames, double cycles, int time_frames);

template <class Params>
View view_of(const Params& p) {
  constexpr double rad = 3.14159265358979323846 / 180.0;
  if (p.axis.size() != 3 || p.axis[0] * p.axis[0] + p.axis[1] * p.axis[1] + p.axis[2] * p.axis[2] < 1e-6)
    throw Failure(
        ErrorCode::invalid_argument,
        "axis has " + std::to_string(p.axis.size()) + " numbers or no length, and a direction x, y, z is needed",
        "write 0, 0, 1 to go round the patient's long axis");
  return {static_cast<int>(p.width),  static_cast<int>(p.height),
          static_cast<int>(p.frames), p.camera,
          p.field_of_view_deg * rad,  p.zoom,
          p.turn_deg * rad,           p.sweep_deg * rad,
          p.elevation_deg * rad,      {p.axis[0], p.axis[1], p.axis[2]}};
}

}  // namespace isocenter::detail
