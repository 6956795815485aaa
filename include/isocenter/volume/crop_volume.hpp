#pragma once
#include <isocenter/operator.hpp>
#include <isocenter/render/interpolation.hpp>

namespace isocenter::inline v1 {

/// Brings a volume, or the box of it that labels cover, to a fixed number of voxels: what a network looks at in its
/// second, closer look.
///
/// | port         | payload      | shape                                              | unit     |
/// |--------------|--------------|----------------------------------------------------|----------|
/// | input        | Volume       | zyx or tzyx                                        | any      |
/// | segmentation | Segmentation | the same field of view, in voxels of any size      | labels   |
/// | output       | Volume       | `extent`, and a tensor "box" for paste_volume      | as input |
///
/// Without a segmentation the whole field of view is taken. With one, the box reaches, along each axis, over the slices
/// of which more than `least_filled` has labels above 0, grown by `margin` of its size at each end, rounded to voxels
/// of the input (middle and size for themselves) and held to the input's borders. Each time frame has a box of its own.
/// The box is stretched along each axis to `extent` voxels. With nearest, a voxel takes the value of the voxel that
/// holds its centre; with linear, values between voxels, held at the box' ends; nothing is smoothed when voxels grow.
///
/// Where the box lies is known when the labels are. While a pipeline with a segmentation is planned, the output's
/// spacing and origin are those of the whole field; a run without time frames gives those of the box. What takes them
/// when it is planned (match_grid, a network with a spacing of its own) is not for such a crop: results go back by
/// paste_volume.
/// Runs on the CPU. Memory: none. Errors: invalid_argument for an extent that has not three whole numbers, or is
/// missing with a segmentation; bad_data when the segmentation covers another field of view, and, when run, when it has
/// no slice with enough labels.
struct CropVolume {
  static constexpr const char* name = "crop_volume";
  static constexpr const char* module = "volume";
  static constexpr const char* summary = "A volume, or the box that labels cover, in a fixed number of voxels.";
  static constexpr const char* help =
      "For networks of a fixed input: find in a small whole volume, look again in the box, paste_volume what was "
      "found.";
  static constexpr bool host_only = true;
  struct Params {
    std::vector<double> extent = {};
    std::string axes;
    double margin = 0;
    double least_filled = 0;
    Interpolation interpolation = Interpolation::linear;
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::extent, "extent", Unit::px, 1, 4096,
                "Voxels of the output, x, y, z along its axes; empty: the input's own."),
          param(&Params::axes, "axes",
                "Where x, y, z of the output grow to, RAS for example; each stands for the voxel axis nearest to it. "
                "Empty: the input's own."),
          param(&Params::margin, "margin", Unit::none, 0, 10,
                "How far the box grows at each end, in parts of its size."),
          param(&Params::least_filled, "least_filled", Unit::none, 0, 0.999,
                "A slice counts when more than this part of its voxels has labels."),
          choice(&Params::interpolation, "interpolation", interpolations, "How values between voxels are read."),
      };
    }
  };
  struct Ports {
    In<Volume> input{"input", "The volume."};
    In<Segmentation> segmentation{"segmentation", "What the box is laid around.", optional_port};
    Out<Volume> output{"output", "The box."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::segmentation, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
