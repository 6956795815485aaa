#pragma once
// What volume_render and maximum_intensity_projection have in common: the picture, the camera and the animation.
#include <isocenter/describe.hpp>

namespace isocenter::inline v1 {

enum class CameraKind { perspective, orthographic };
inline constexpr const char* camera_kinds[] = {"perspective", "orthographic"};

/// The parameters of struct P that place the camera; P has members of these names.
///
/// Turn and elevation say where the camera is, seen from the volume's centre: turn 0 is in front of the patient
/// (anterior), 90 on the patient's left; elevation 90 is at the end of the axis (above the head). The picture is wide
/// enough for the whole volume in every frame at zoom 1.
template <class P>
constexpr auto view_parameters() {
  return std::tuple{
      param(&P::width, "width", Unit::px, 16, 8192, "Columns of a frame."),
      param(&P::height, "height", Unit::px, 16, 8192, "Rows of a frame."),
      param(&P::frames, "frames", Unit::none, 1, 100000, "How many frames the animation has."),
      param(&P::frames_per_second, "frames_per_second", Unit::hz, 0.1, 1000, "How fast they are meant to play."),
      choice(&P::camera, "camera", camera_kinds, "perspective: near things are larger; orthographic: true to scale."),
      param(&P::field_of_view_deg, "field_of_view_deg", Unit::deg, 1, 120,
            "Opening angle of the perspective camera over the frame's height."),
      param(&P::zoom, "zoom", Unit::none, 0.01, 100, "1: the volume fills the frame; 2: twice as large."),
      param(&P::turn_deg, "turn_deg", Unit::deg, -3600, 3600,
            "Where the camera is in the first frame: 0 in front of the patient, 90 on the patient's left."),
      param(&P::sweep_deg, "sweep_deg", Unit::deg, -36000, 36000,
            "How far the camera goes round over all frames; 360 joins the last frame to the first."),
      param(&P::elevation_deg, "elevation_deg", Unit::deg, -90, 90, "How far the camera is above the orbit's plane."),
      param(&P::axis, "axis", Unit::none, -1, 1,
            "The axis of the orbit, up in the picture: x, y, z in the patient frame (left, posterior, head)."),
      param(&P::time_cycles, "time_cycles", Unit::none, 0, 1000,
            "How often the time frames of a moving volume are played through during the animation."),
  };
}

}  // namespace isocenter::inline v1
