#pragma once
#include <isocenter/operator.hpp>
#include <isocenter/volume/connectivity.hpp>

namespace isocenter::inline v1 {

/// Keeps the largest connected parts of each label and drops small ones: what a network scattered goes.
///
/// | port   | payload      | shape       | unit             |
/// |--------|--------------|-------------|------------------|
/// | input  | Segmentation | zyx or tzyx | uint8 labels     |
/// | output | Segmentation | as input    | the labels kept  |
///
/// Of two parts of the same size the one whose first voxel comes first in memory counts as larger; the result does not
/// depend on the number of threads. Each time frame is taken for itself. Memory: 4 bytes a voxel of one frame, and at
/// most 2^31 - 2 of them. Cost: six passes over the labels and one for each part that is kept.
/// Errors: invalid_argument when neither `keep` nor `min_volume_mm3` asks for anything.
struct LargestComponents {
  static constexpr const char* name = "largest_components";
  static constexpr const char* module = "volume";
  static constexpr const char* summary = "Keeps the largest connected parts of each label, drops small ones.";
  static constexpr const char* help =
      "keep: 1 is what MONAI calls KeepLargestConnectedComponent (with connectivity 26).";
  struct Params {
    std::int64_t keep = 1;
    double min_volume_mm3 = 0;
    Connectivity connectivity = Connectivity::corners;
    bool by_label = true;
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::keep, "keep", Unit::none, 0, 16, "How many parts of each label stay; 0: all."),
          param(&Params::min_volume_mm3, "min_volume_mm3", Unit::none, 0, 1e9,
                "Parts of a smaller volume (cubic millimetres) go, also among the largest."),
          choice(&Params::connectivity, "connectivity", connectivities, "Which neighbours belong together."),
          param(&Params::by_label, "by_label", "false: neighbours belong together whatever their labels above 0."),
      };
    }
  };
  struct Ports {
    In<Segmentation> input{"input", "The labels."};
    Out<Segmentation> output{"output", "The labels without what is dropped."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
