#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// Mirrors a volume's values along voxel axes, the grid staying where it is: test-time augmentation.
///
/// | port   | payload | shape                      | unit     |
/// |--------|---------|----------------------------|----------|
/// | input  | Volume  | zyx, tzyx, czyx or tczyx   | any      |
/// | output | Volume  | as input                   | as input |
///
/// The output shows a mirrored patient and is for a network's eyes alone: mirror, infer, mirror the scores back with
/// the same axes, and average with `ensemble`, whose variance says where the network is not sure. Mirroring twice gives
/// the input to the bit. Memory: none. Errors: invalid_argument when no axis is asked for; bad_data for other axes.
struct MirrorVolume {
  static constexpr const char* name = "mirror_volume";
  static constexpr const char* module = "volume";
  static constexpr const char* summary = "Mirrors values along voxel axes: test-time augmentation.";
  static constexpr const char* help = "Before network_inference and, with the same axes, behind it; then ensemble.";
  struct Params {
    bool x = false;
    bool y = false;
    bool z = false;
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::x, "x", "Along rows."),
          param(&Params::y, "y", "Along columns."),
          param(&Params::z, "z", "Along slices."),
      };
    }
  };
  struct Ports {
    In<Volume> input{"input", "The volume, or a network's scores."};
    Out<Volume> output{"output", "Its mirror image."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
