#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// Brings a volume, labels or both onto the grid of another payload: labels back to the series they belong to, two
/// series onto one grid.
///
/// | port         | payload              | shape                              | unit     |
/// |--------------|----------------------|------------------------------------|----------|
/// | reference    | Volume, Segmentation | zyx or tzyx: its grid alone counts |          |
/// | input        | Volume               | zyx or tzyx                        | any      |
/// | segmentation | Segmentation         | zyx or tzyx                        | labels   |
/// | output       | Volume               | the reference's grid, input's time | as input |
/// | labels       | Segmentation         | the same, segmentation's time      | labels   |
///
/// Both grids lie in the patient frame, in any direction. Values are linear between voxels (nothing is smoothed when
/// the new grid is coarser), labels the nearest voxel's. Beyond the source's voxels stands `outside`, or label 0. Where
/// the two grids are the same nothing changes, to the bit. Memory: none. Errors: invalid_argument when neither input is
/// connected; a warning when the grids do not meet.
struct MatchGrid {
  static constexpr const char* name = "match_grid";
  static constexpr const char* module = "volume";
  static constexpr const char* summary = "Brings a volume or labels onto another payload's grid.";
  static constexpr const char* help =
      "To a model's spacing and axes: multi_planar_reformat; back: match_grid with the series as reference.";
  struct Params {
    double outside = -1024;
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::outside, "outside", Unit::none, -1e6, 1e6, "Values beyond the volume; -1024: air in HU."),
      };
    }
  };
  struct Ports {
    In<AnyOf<Volume, Segmentation>> reference{"reference", "The grid."};
    In<Volume> input{"input", "A volume.", optional_port};
    In<Segmentation> segmentation{"segmentation", "Labels.", optional_port};
    Out<Volume> output{"output", "The volume on the grid."};
    Out<Segmentation> labels{"labels", "The labels on the grid."};
    static constexpr auto describe() {
      return std::tuple{&Ports::reference, &Ports::input, &Ports::segmentation, &Ports::output, &Ports::labels};
    }
  };
};

}  // namespace isocenter::inline v1
