#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

enum class HoleShape { volume, slices };

/// Gives holes in a label the label that is around them.
///
/// A hole is a connected part of the background that does not reach the border and touches a single label by faces.
/// What lies between two labels, and other labels inside a label, stay.
///
/// | port   | payload      | shape       | unit         |
/// |--------|--------------|-------------|--------------|
/// | input  | Segmentation | zyx or tzyx | uint8 labels |
/// | output | Segmentation | as input    | uint8 labels |
///
/// In a volume the background is connected by faces (a hole may have a diagonal way out); with `slices` each slice of
/// the x and y axes is taken for itself, connected by edges of its pixels. Memory: 4 bytes a voxel of one frame, at
/// most 2^31 - 2 of them. The result does not depend on the number of threads.
struct FillHoles {
  static constexpr const char* name = "fill_holes";
  static constexpr const char* module = "volume";
  static constexpr const char* summary = "Gives holes in a label the label around them.";
  static constexpr const char* help = "in: slices also fills what is open along z, as the air of lungs in a body mask.";
  struct Params {
    HoleShape in = HoleShape::volume;
    static constexpr const char* shapes[] = {"volume", "slices"};
    static constexpr auto describe() {
      return std::tuple{
          choice(&Params::in, "in", shapes, "Whether holes are closed in 3-D, or within each slice."),
      };
    }
  };
  struct Ports {
    In<Segmentation> input{"input", "The labels."};
    Out<Segmentation> output{"output", "The labels without holes."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
