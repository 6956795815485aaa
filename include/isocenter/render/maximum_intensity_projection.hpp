#pragma once
#include <isocenter/operator.hpp>
#include <isocenter/render/view_parameters.hpp>

namespace isocenter::inline v1 {

enum class IntensityProjection { maximum, minimum, mean };

/// The largest value along each ray (or the smallest, or the mean) in a grey window, turning and moving in time.
///
/// | port   | payload | shape       | unit                                                                  |
/// |--------|---------|-------------|-----------------------------------------------------------------------|
/// | input  | Volume  | zyx or tzyx | any                                                                   |
/// | output | Frames  | frames, RGB | grey code values of the display (window LINEAR_EXACT, DICOM PS3.3     |
/// |        |         |             | C.11.2.1.3.2), row 0 at the top; black where a ray misses the volume |
///
/// Samples are interpolated linearly in the middle of equal steps; along an axis at one sample a voxel they are the
/// voxels' own values. Errors: as volume_render.
struct MaximumIntensityProjection {
  static constexpr const char* name = "maximum_intensity_projection";
  static constexpr const char* module = "render";
  static constexpr const char* summary = "The largest (smallest, mean) value along each ray, as a turning picture.";
  static constexpr const char* help =
      "Shows what is brightest wherever it lies: vessels with contrast agent, bone, nodules (mean: like a radiograph; "
      "minimum: airways). The depth shows when it turns.";
  struct Params {
    IntensityProjection projection = IntensityProjection::maximum;
    double window_centre = 400;
    double window_width = 1200;
    std::int64_t width = 640;
    std::int64_t height = 640;
    std::int64_t frames = 90;
    double frames_per_second = 25;
    CameraKind camera = CameraKind::orthographic;
    double field_of_view_deg = 25;
    double zoom = 1.0;
    double turn_deg = 0;
    double sweep_deg = 360;
    double elevation_deg = 0;
    std::vector<double> axis = {0, 0, 1};
    double time_cycles = 1;
    double samples_per_voxel = 1.0;
    static constexpr const char* projections[] = {"maximum", "minimum", "mean"};
    static constexpr auto describe() {
      return std::tuple_cat(
          std::tuple{
              choice(&Params::projection, "projection", projections, "Which value of a ray is shown."),
              param(&Params::window_centre, "window_centre", Unit::none, -1e6, 1e6,
                    "The value that is shown as middle grey, in the volume's own unit."),
              param(&Params::window_width, "window_width", Unit::none, 1e-6, 1e7,
                    "The range of values from black to white."),
          },
          view_parameters<Params>(),
          std::tuple{param(&Params::samples_per_voxel, "samples_per_voxel", Unit::none, 0.1, 10,
                           "Samples along a ray for each of the smallest voxel edge.")});
    }
  };
  struct Ports {
    In<Volume> input{"input", "The volume to project."};
    Out<Frames> output{"output", "The animation."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
