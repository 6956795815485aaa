#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// New slices between thick ones, drawn along the structures and not straight across.
///
/// Ribs and vessels cross thick slices at a slant, and straight interpolation shows them as stairs. Here every point
/// between two slices looks for the displacement at which the slice below and the slice above agree best around it, and
/// takes its value there: registration-based interpolation (Penney et al., IEEE Transactions on Medical Imaging 23(7),
/// 2004), with block matching in place of a registration and a soft minimum over the displacements. For pictures; do
/// not measure in the new slices. The slices of the input stay as they are.
///
/// | port         | payload      | shape                                 | unit         |
/// |--------------|--------------|---------------------------------------|--------------|
/// | input        | Volume       | zyx or tzyx, any slices               | any          |
/// | segmentation | Segmentation | as input, or zyx (optional)           | uint8 labels |
/// | output       | Volume       | (nz - 1) · m + 1 slices               | as input     |
/// | labels       | Segmentation | as output; only with a segmentation   | as input     |
///
/// m is the number of slices that slice_mm makes of one, rounded: 1 leaves the volume as it is. Labels move along the
/// same displacements, each from the nearer slice; labels of one time frame move with the volume's first. Cost: 25
/// differences for each displacement in reach and each voxel of the input, (reach_mm / pixel + 1)² displacements.
/// Errors: invalid_argument when reach_mm spans more than 16 pixels to each side, low is not below high, or labels are
/// asked for without a segmentation; bad_data when the segmentation has another grid.
struct SliceInterpolation {
  static constexpr const char* name = "slice_interpolation";
  static constexpr const char* module = "render";
  static constexpr const char* summary = "New slices between thick ones, drawn along slanting structures.";
  static constexpr const char* help =
      "Penney et al., IEEE TMI 2004, by block matching. Makes volume renderings of thick slices smooth. The window "
      "(low, high) says which values matter for the match: for CT the default takes soft tissue to bone.";
  struct Params {
    double slice_mm = 0;
    double reach_mm = 8;
    double low = -200;
    double high = 600;
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::slice_mm, "slice_mm", Unit::mm, 0, 1000,
                "Distance of the new slices, rounded to a part of the old one; 0: the smallest spacing in the plane."),
          param(&Params::reach_mm, "reach_mm", Unit::mm, 0, 100,
                "How far a structure may move sideways from one slice to the next."),
          param(&Params::low, "low", Unit::none, -1e6, 1e6, "Values below count as this one when slices are matched."),
          param(&Params::high, "high", Unit::none, -1e6, 1e6,
                "Values above count as this one when slices are matched."),
      };
    }
  };
  struct Ports {
    In<Volume> input{"input", "A volume of thick slices."};
    In<Segmentation> segmentation{"segmentation", "Labels on the same grid, to go along.", optional_port};
    Out<Volume> output{"output", "The volume with more slices."};
    Out<Segmentation> labels{"labels", "The labels with more slices; needs the segmentation."};
    static constexpr auto describe() {
      return std::tuple{&Ports::input, &Ports::segmentation, &Ports::output, &Ports::labels};
    }
  };
};

}  // namespace isocenter::inline v1
