#pragma once
#include <isocenter/operator.hpp>
#include <isocenter/render/interpolation.hpp>

namespace isocenter::inline v1 {

enum class AnatomicalPlane { axial, coronal, sagittal };
enum class ShownSlices { all, middle, position };

/// Grey-scale slices in a window, as radiologists look at them, with segmented structures painted over.
///
/// | port         | payload      | shape            | unit                                             |
/// |--------------|--------------|------------------|--------------------------------------------------|
/// | input        | Volume       | zyx or tzyx      | HU, or any                                       |
/// | segmentation | Segmentation | as input, or zyx | uint8 labels on the same grid (optional)         |
/// | output       | Frames       | frames, RGB      | code values of the display, row 0 at the top     |
///
/// Orientation follows the patient and not the order of the voxels: axial is seen from the feet (the patient's right is
/// on the left of the picture, the back below); coronal from the front (right on the left, head above); sagittal with
/// the front on the left and the head above. Slices lie in the patient's planes; a series whose axes are the patient's
/// in any order and sign is shown voxel by voxel, an oblique one is interpolated. Pixels are square: pixel_mm on each
/// side. Frames go from the feet to the head, front to back, right to left; with a time axis each slice goes through
/// its time first. The window is DICOM's LINEAR_EXACT (PS3.3 C.11.2.1.3.2); labels have the colours of volume_render.
/// Errors: bad_data as volume_render; invalid_argument when the position is outside of the volume.
struct SliceView {
  static constexpr const char* name = "slice_view";
  static constexpr const char* module = "render";
  static constexpr const char* summary = "Axial, coronal or sagittal slices in a grey window with labels painted over.";
  static constexpr const char* help =
      "Radiological orientation from the direction cosines, square pixels. Windows: soft tissue 40/400, lung "
      "-600/1500, bone 400/1800.";
  struct Params {
    AnatomicalPlane plane = AnatomicalPlane::axial;
    ShownSlices show = ShownSlices::all;
    double position_mm = 0;
    double window_centre = 40;
    double window_width = 400;
    double pixel_mm = 0;
    Interpolation interpolation = Interpolation::linear;
    double frames_per_second = 10;
    double label_opacity = 0.45;
    std::vector<double> hidden_labels = {};
    static constexpr const char* planes[] = {"axial", "coronal", "sagittal"};
    static constexpr const char* shown[] = {"all", "middle", "position"};
    static constexpr auto describe() {
      return std::tuple{
          choice(&Params::plane, "plane", planes, "Which anatomical plane."),
          choice(&Params::show, "show", shown, "All slices, the middle one, or the one at position_mm."),
          param(&Params::position_mm, "position_mm", Unit::mm, -1e5, 1e5,
                "Where the slice is in the patient frame: z of an axial, y of a coronal, x of a sagittal one."),
          param(&Params::window_centre, "window_centre", Unit::none, -1e6, 1e6,
                "The value that is shown as middle grey, in the volume's own unit."),
          param(&Params::window_width, "window_width", Unit::none, 1e-6, 1e7,
                "The range of values from black to white."),
          param(&Params::pixel_mm, "pixel_mm", Unit::mm, 0, 1000, "Size of a pixel; 0: the plane's smallest spacing."),
          choice(&Params::interpolation, "interpolation", interpolations, "How values between voxels are read."),
          param(&Params::frames_per_second, "frames_per_second", Unit::hz, 0.1, 1000,
                "How fast the frames are meant to play."),
          param(&Params::label_opacity, "label_opacity", Unit::none, 0, 1,
                "How much a label's colour covers the grey; 0: it is not shown."),
          param(&Params::hidden_labels, "hidden_labels", Unit::none, 1, 255, "Labels that are not shown."),
      };
    }
  };
  struct Ports {
    In<Volume> input{"input", "The volume to show."};
    In<Segmentation> segmentation{"segmentation", "Structures to paint over.", optional_port};
    Out<Frames> output{"output", "One frame for each slice (and moment)."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::segmentation, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
