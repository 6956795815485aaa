#include "render/camera_path.hpp"

#include <algorithm>
#include <cmath>

namespace isocenter::detail {
namespace {

double dot(const Vector3& a, const Vector3& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }
Vector3 cross(const Vector3& a, const Vector3& b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}
Vector3 sum(double s, const Vector3& a, double t, const Vector3& b) {
  return {s * a[0] + t * b[0], s * a[1] + t * b[1], s * a[2] + t * b[2]};
}
Vector3 unit(const Vector3& a) { return sum(1.0 / std::sqrt(dot(a, a)), a, 0.0, a); }

/// A camera's axes in the patient frame; to_eye points from the centre to the camera.
struct Pose {
  Vector3 to_eye, right, up;
};

Pose pose_at(const View& view, double turn) {
  const Vector3 axis = unit(view.axis);
  // Turn 0: in front of the patient, or where the axis itself points there, at the head.
  const Vector3 anterior{0, -1, 0}, head{0, 0, 1};
  const Vector3& front = std::abs(dot(axis, anterior)) < 0.99 ? anterior : head;
  const Vector3 start = unit(sum(1.0, front, -dot(front, axis), axis));
  const Vector3 side = cross(axis, start);
  const Vector3 level = sum(std::cos(turn), start, std::sin(turn), side);
  Pose pose;
  pose.to_eye = sum(std::cos(view.elevation_rad), level, std::sin(view.elevation_rad), axis);
  pose.up = sum(-std::sin(view.elevation_rad), level, std::cos(view.elevation_rad), axis);
  pose.right = cross(pose.up, pose.to_eye);
  return pose;
}

Pose pose_of_frame(const View& view, int frame) {
  return pose_at(view, view.turn_rad + view.sweep_rad * frame / view.frames);
}

/// Half of the volume's box along its axes, in patient coordinates from the centre: the eight corners.
std::array<Vector3, 8> corners_of(const GridShape& grid) {
  const double half[] = {0.5 * grid.nx * grid.geometry.spacing_mm[0], 0.5 * grid.ny * grid.geometry.spacing_mm[1],
                         0.5 * grid.nz * grid.geometry.spacing_mm[2]};
  std::array<Vector3, 8> corners{};
  for (std::size_t c = 0; c < 8; ++c)
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const Vector3 d = grid.geometry.axis(static_cast<int>(axis));
      corners[c] = sum(1.0, corners[c], (c >> axis & 1) != 0 ? half[axis] : -half[axis], d);
    }
  return corners;
}

/// The size of the picture: half the height in mm (orthographic) or the eye's distance (perspective) at which every
/// corner is in every frame.
double fitting(const View& view, const GridShape& grid) {
  const auto corners = corners_of(grid);
  const double aspect = static_cast<double>(view.width) / view.height;
  const double slope = std::tan(0.5 * view.field_of_view_rad);
  double needed = 0;
  for (int frame = 0; frame < view.frames; ++frame) {
    const Pose pose = pose_of_frame(view, frame);
    for (const Vector3& c : corners) {
      const double tall = std::max(std::abs(dot(c, pose.up)), std::abs(dot(c, pose.right)) / aspect);
      needed = std::max(needed, view.kind == CameraKind::orthographic ? tall : tall / slope + dot(c, pose.to_eye));
    }
  }
  return needed;
}

}  // namespace

void check_directions(const Geometry& g, const char* port) {
  for (int a = 0; a < 3; ++a)
    for (int b = a; b < 3; ++b)
      if (std::abs(dot(g.axis(a), g.axis(b)) - (a == b ? 1.0 : 0.0)) > 1e-3)
        throw Failure(ErrorCode::bad_data,
                      std::string("input '") + port + "': the direction cosines of axes " + "xyz"[a] + " and " +
                          "xyz"[b] + " have the product " + std::to_string(dot(g.axis(a), g.axis(b))) + ", and " +
                          (a == b ? "1" : "0") + " is needed",
                      "check ImageOrientationPatient (0020,0037); resample a series with gantry tilt first");
}

Vector3 to_voxel_axes(const Geometry& g, const Vector3& v) {
  return {dot(g.axis(0), v), dot(g.axis(1), v), dot(g.axis(2), v)};
}

std::vector<Shot> orbit(const View& view, const GridShape& grid) {
  const double size = fitting(view, grid);
  const Vector3 centre{0.5 * (grid.nx - 1) * grid.geometry.spacing_mm[0],
                       0.5 * (grid.ny - 1) * grid.geometry.spacing_mm[1],
                       0.5 * (grid.nz - 1) * grid.geometry.spacing_mm[2]};
  std::vector<Shot> shots;
  for (int frame = 0; frame < view.frames; ++frame) {
    const Pose pose = pose_of_frame(view, frame);
    const Vector3 to_eye = to_voxel_axes(grid.geometry, pose.to_eye);
    const Vector3 right = to_voxel_axes(grid.geometry, pose.right);
    const Vector3 up = to_voxel_axes(grid.geometry, pose.up);
    const Vector3 forward = sum(-1.0, to_eye, 0.0, to_eye);
    // Offsets of a pixel's centre from the frame's, in half heights.
    const double pixel = 2.0 / view.height;
    const double left = -0.5 * pixel * (view.width - 1), top = 0.5 * pixel * (view.height - 1);

    Vector3 origin{}, across{}, down{}, direction{}, direction_across{}, direction_down{};
    if (view.kind == CameraKind::orthographic) {
      const double half = size / view.zoom;
      const double reach = 2.0 * std::sqrt(dot(centre, centre)) + grid.geometry.spacing_mm[0] + 1.0;  // outside the box
      origin = sum(1.0, sum(1.0, centre, reach, to_eye), half, sum(left, right, top, up));
      across = sum(half * pixel, right, 0.0, right);
      down = sum(-half * pixel, up, 0.0, up);
      direction = forward;
    } else {
      const double slope = std::tan(0.5 * view.field_of_view_rad) / view.zoom;
      origin = sum(1.0, centre, size, to_eye);
      direction = sum(1.0, forward, slope, sum(left, right, top, up));
      direction_across = sum(slope * pixel, right, 0.0, right);
      direction_down = sum(-slope * pixel, up, 0.0, up);
    }
    const Vector3 light = unit(sum(1.0, sum(0.75, to_eye, -0.45, right), 0.5, up));
    Shot shot{};
    for (std::size_t a = 0; a < 3; ++a) {
      shot.camera.origin[a] = static_cast<float>(origin[a]);
      shot.camera.origin_x[a] = static_cast<float>(across[a]);
      shot.camera.origin_y[a] = static_cast<float>(down[a]);
      shot.camera.direction[a] = static_cast<float>(direction[a]);
      shot.camera.direction_x[a] = static_cast<float>(direction_across[a]);
      shot.camera.direction_y[a] = static_cast<float>(direction_down[a]);
      shot.light[a] = static_cast<float>(light[a]);
    }
    shots.push_back(shot);
  }
  return shots;
}

int time_frame(int frame, int frames, double cycles, int time_frames) {
  const double moment = std::floor(cycles * time_frames * frame / frames + 1e-9);
  return static_cast<int>(std::fmod(moment, time_frames));
}

}  // namespace isocenter::detail
