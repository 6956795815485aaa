#pragma once
#include <isocenter/operator.hpp>
#include <isocenter/render/interpolation.hpp>

namespace isocenter::inline v1 {

/// Puts what was made of a crop back to where crop_volume took it from.
///
/// | port         | payload              | shape                                              | unit     |
/// |--------------|----------------------|----------------------------------------------------|----------|
/// | crop         | Volume               | an output of crop_volume: its box alone counts     |          |
/// | reference    | Volume, Segmentation | what crop_volume cut: its grid alone counts        |          |
/// | input        | Volume               | as crop                                            | any      |
/// | segmentation | Segmentation         | as crop                                            | labels   |
/// | output       | Volume               | as reference                                       | as input |
/// | labels       | Segmentation         | as reference                                       | labels   |
///
/// Labels are those of the voxel that holds the centre, values likewise or linear. Beyond the box stands `outside`, or
/// label 0. Runs on the CPU. Memory: none. Errors: invalid_argument when neither input is connected; bad_data when
/// `crop` does not come from crop_volume, or the reference has another grid than what it cut.
struct PasteVolume {
  static constexpr const char* name = "paste_volume";
  static constexpr const char* module = "volume";
  static constexpr const char* summary = "Puts what was made of a crop back into the volume's grid.";
  static constexpr const char* help = "Behind crop_volume and a network: labels or scores on the grid of the series.";
  static constexpr bool host_only = true;
  struct Params {
    double outside = 0;
    Interpolation interpolation = Interpolation::linear;
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::outside, "outside", Unit::none, -1e6, 1e6, "Values beyond the box."),
          choice(&Params::interpolation, "interpolation", interpolations,
                 "How values between voxels are read; labels are the nearest voxel's."),
      };
    }
  };
  struct Ports {
    In<Volume> crop{"crop", "Where the box lies."};
    In<AnyOf<Volume, Segmentation>> reference{"reference", "The grid."};
    In<Volume> input{"input", "Values in the crop's voxels.", optional_port};
    In<Segmentation> segmentation{"segmentation", "Labels in the crop's voxels.", optional_port};
    Out<Volume> output{"output", "The values on the reference's grid."};
    Out<Segmentation> labels{"labels", "The labels on the reference's grid."};
    static constexpr auto describe() {
      return std::tuple{&Ports::crop,         &Ports::reference, &Ports::input,
                        &Ports::segmentation, &Ports::output,    &Ports::labels};
    }
  };
};

}  // namespace isocenter::inline v1
