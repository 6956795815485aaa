#pragma once
#include <isocenter/operator.hpp>
#include <isocenter/volume/connectivity.hpp>

namespace isocenter::inline v1 {

enum class ComponentOrder { size, scan };

/// Numbers the connected parts of a segmentation, so that each lesion, vertebra or fragment is a label of its own.
///
/// | port   | payload      | shape  | unit                                      |
/// |--------|--------------|--------|-------------------------------------------|
/// | input  | Segmentation | zyx    | uint8 labels                              |
/// | output | Segmentation | zyx    | 1, 2, ... for the parts, named "part 1"   |
///
/// By size the largest part is 1; by scan the one whose first voxel comes first in memory. At most `most` parts are
/// numbered, the largest ones; when there are more the node warns and says how many. Metrics: parts (all of at least
/// min_volume_mm3), volume (mm³ of each numbered part). Runs on the CPU, on all threads; the result does not depend on
/// how many. Memory: 4 bytes a voxel, at most 2^31 - 2 voxels.
struct ConnectedComponents {
  static constexpr const char* name = "connected_components";
  static constexpr const char* module = "volume";
  static constexpr const char* summary = "Numbers the connected parts of a segmentation.";
  static constexpr const char* help = "For counting and measuring lesions: segment_measurements takes its output.";
  static constexpr bool host_only = true;
  struct Params {
    Connectivity connectivity = Connectivity::corners;
    double min_volume_mm3 = 0;
    ComponentOrder order = ComponentOrder::size;
    std::int64_t most = 255;
    bool by_label = true;
    static constexpr const char* orders[] = {"size", "scan"};
    static constexpr auto describe() {
      return std::tuple{
          choice(&Params::connectivity, "connectivity", connectivities, "Which neighbours belong together."),
          param(&Params::min_volume_mm3, "min_volume_mm3", Unit::none, 0, 1e9,
                "Parts of a smaller volume (cubic millimetres) are left out."),
          choice(&Params::order, "order", orders, "Which part is 1: the largest, or the first in memory."),
          param(&Params::most, "most", Unit::none, 1, 255, "How many parts are numbered."),
          param(&Params::by_label, "by_label", "false: neighbours belong together whatever their labels above 0."),
      };
    }
  };
  struct Ports {
    In<Segmentation> input{"input", "The labels."};
    Out<Segmentation> output{"output", "The numbers of the parts."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
