#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// Keeps a volume where a segmentation has labels: what is not the patient (the table, blankets, tubes) goes before
/// the volume is shown.
///
/// | port   | payload      | shape            | unit                            |
/// |--------|--------------|------------------|---------------------------------|
/// | input  | Volume       | zyx or tzyx      | any                             |
/// | mask   | Segmentation | as input, or zyx | uint8 labels on the same grid   |
/// | output | Volume       | as input         | as input                        |
///
/// With largest_component only the largest set of kept voxels that touch by a face stays; labels do not matter to it.
/// Memory: with largest_component 5 bytes a voxel of one time frame, and at most 2^31 of them. Runs on the CPU.
/// Errors: bad_data when the mask has another grid; invalid_argument when a label is no whole number.
struct MaskVolume {
  static constexpr const char* name = "mask_volume";
  static constexpr const char* module = "infer";
  static constexpr const char* summary = "Keeps a volume where a segmentation has labels.";
  static constexpr const char* help =
      "For pictures of the patient without the table: mask with every label and largest_component.";
  static constexpr bool host_only = true;
  struct Params {
    std::vector<double> labels = {};
    double outside = -1024;
    bool largest_component = false;
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::labels, "labels", Unit::none, 1, 255, "The labels that are kept; empty: every one above 0."),
          param(&Params::outside, "outside", Unit::none, -1e6, 1e6, "The value of what is not kept; -1024: air in HU."),
          param(&Params::largest_component, "largest_component",
                "Keep only the largest connected part of what the labels cover (6 neighbours)."),
      };
    }
  };
  struct Ports {
    In<Volume> input{"input", "The volume."};
    In<Segmentation> mask{"mask", "What is kept."};
    Out<Volume> output{"output", "The volume, with `outside` where nothing is kept."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::mask, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
