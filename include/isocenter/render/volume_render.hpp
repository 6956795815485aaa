#pragma once
#include <isocenter/operator.hpp>
#include <isocenter/render/view_parameters.hpp>

namespace isocenter::inline v1 {

enum class TransferPreset { ct_bone, ct_chest, ct_lung, ct_soft_tissue, ct_vessels, mr };

/// A volume as a picture that shows its depth, turning and moving in time.
///
/// Method: emission and absorption, front to back (Levoy, IEEE Computer Graphics & Applications 8(3), 1988; Max, IEEE
/// TVCG 1(2), 1995, section 5), with opacity corrected for the length of a step, Blinn-Phong shading of the gradient,
/// rays that end when nothing behind would be seen, and empty space passed over.
///
/// | port         | payload      | shape           | unit                                      |
/// |--------------|--------------|-----------------|-------------------------------------------|
/// | input        | Volume       | zyx or tzyx     | HU for the ct_ presets                    |
/// | segmentation | Segmentation | as input, or zyx | uint8 labels on the same grid (optional) |
/// | output       | Frames       | frames, RGB     | sRGB (IEC 61966-2-1), row 0 at the top    |
///
/// Colours are given in sRGB, mixed in linear light and encoded as sRGB. With a time axis, animation frame k of n shows
/// time frame floor(k · time_cycles · nt / n) modulo nt, while the camera goes its way.
/// Labels appear in the segmentation's own colours (attribute "labels.colours"), or in the palette of the library.
/// Errors: invalid_argument when transfer_points is not a list of fives with increasing values; bad_data when direction
/// cosines are not at right angles, or the segmentation has another grid than the volume; unsupported above 2^31 voxels
/// a frame.
struct VolumeRender {
  static constexpr const char* name = "volume_render";
  static constexpr const char* module = "render";
  static constexpr const char* summary = "Direct volume rendering: a shaded, coloured, turning picture of a volume.";
  static constexpr const char* help =
      "Levoy 1988, Max 1995. Presets give opacity and colour for values in HU (ct_) or in units of the volume's own "
      "(mr: 0 to 1000); transfer_points replaces them. Output colours are sRGB.";
  struct Params {
    TransferPreset preset = TransferPreset::ct_chest;
    std::vector<double> transfer_points = {};
    double surface_gradient = 0;
    double opacity_scale = 1.0;
    std::int64_t width = 640;
    std::int64_t height = 640;
    std::int64_t frames = 90;
    double frames_per_second = 25;
    CameraKind camera = CameraKind::perspective;
    double field_of_view_deg = 25;
    double zoom = 1.0;
    double turn_deg = 0;
    double sweep_deg = 360;
    double elevation_deg = 0;
    std::vector<double> axis = {0, 0, 1};
    double time_cycles = 1;
    double samples_per_voxel = 1.5;
    bool shading = true;
    std::vector<double> background = {0.05, 0.06, 0.08, 0.0, 0.0, 0.0};
    double label_opacity = 0.6;
    std::vector<double> hidden_labels = {};
    static constexpr const char* presets[] = {"ct_bone", "ct_chest", "ct_lung", "ct_soft_tissue", "ct_vessels", "mr"};
    static constexpr auto describe() {
      return std::tuple_cat(
          std::tuple{
              choice(&Params::preset, "preset", presets, "Which opacity and colour the values have."),
              param(
                  &Params::transfer_points, "transfer_points", Unit::none, -1e6, 1e6,
                  "Instead of a preset: value, opacity of 1 mm (0 to 1), red, green, blue (0 to 1, sRGB), for 1 to 24 "
                  "points with increasing values; straight lines between them."),
              param(&Params::surface_gradient, "surface_gradient", Unit::none, 0, 1e6,
                    "With transfer_points: the change of value per mm at which a sample has its full opacity, so that "
                    "surfaces stand out of what they enclose; 0: opacity depends on the value alone."),
              param(&Params::opacity_scale, "opacity_scale", Unit::none, 0.001, 1000, "Makes all denser or thinner."),
          },
          view_parameters<Params>(),
          std::tuple{
              param(&Params::samples_per_voxel, "samples_per_voxel", Unit::none, 0.1, 10,
                    "Samples along a ray for each of the smallest voxel edge."),
              param(&Params::shading, "shading", "Light on surfaces; without it only colour and opacity."),
              param(&Params::background, "background", Unit::none, 0, 1,
                    "Red, green, blue (sRGB), or six numbers: at the top, at the bottom."),
              param(&Params::label_opacity, "label_opacity", Unit::none, 0, 0.999,
                    "How much 1 mm of a segmented structure hides; 0: it is not shown."),
              param(&Params::hidden_labels, "hidden_labels", Unit::none, 1, 255, "Labels that are not shown."),
          });
    }
  };
  struct Ports {
    In<Volume> input{"input", "The volume to show."};
    In<Segmentation> segmentation{"segmentation", "Structures to show in colours of their own.", optional_port};
    Out<Frames> output{"output", "The animation."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::segmentation, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
