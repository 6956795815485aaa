#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// Segments a volume as a MONAI bundle says: its folder has the network (models/*.onnx), the transforms around it
/// (configs/inference.json or .yaml) and what its channels mean (configs/metadata.json).
///
/// Read are: before the network Orientationd, Spacingd (bilinear), Resized (trilinear), CropForegroundd,
/// CenterSpatialCropd, SpatialPadd, DivisiblePadd, ScaleIntensityd, ScaleIntensityRanged,
/// ScaleIntensityRangePercentilesd, NormalizeIntensityd; SlidingWindowInferer (constant and gaussian) and
/// SimpleInferer; behind it Activationsd (softmax, sigmoid), Invertd, AsDiscreted (argmax, or threshold for one
/// channel), KeepLargestConnectedComponentd, FillHolesd, RemoveSmallObjectsd. References (@a#b,
/// @a::b) and literal expressions are followed; no Python is executed. Everything else is refused with its file, line
/// and name. Grids, windows and weights are MONAI's own, so that labels are equal to MONAI's but for rounding.
///
/// | port   | payload      | shape       | unit                                       |
/// |--------|--------------|-------------|--------------------------------------------|
/// | input  | Volume       | zyx or tzyx | what the network was trained on, HU for CT |
/// | output | Segmentation | as input    | uint8, names from channel_def, colours     |
///
/// Memory: the network's arena, the volume on the network's grid, and its scores for every channel: it grows with the
/// volume, where segment_volume's does not; with stream_batch also the windows and scores of its items. Errors:
/// everything that is wrong with the bundle or its model, before anything runs.
struct MonaiBundle {
  static constexpr const char* name = "monai_bundle";
  static constexpr const char* module = "infer";
  static constexpr const char* summary = "Labels every voxel as a MONAI bundle (with an ONNX model) says.";
  static constexpr const char* help =
      "docs/infer/bundles.md has what is read. The model's SHA-256 is part of the report and of the provenance.";
  struct Params {
    std::string path;
    int stream_batch = 1;
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::path, "path", "The bundle's folder, with configs and models in it.",
                required | isocenter::path),
          param(
              &Params::stream_batch, "stream_batch", Unit::none, 1, 256,
              "Items of the stream that the network takes at once, each of one window; an item waits for the others."),
      };
    }
  };
  struct Ports {
    In<Volume> input{"input", "The volume to segment."};
    Out<Segmentation> output{"output", "The labels, with names and colours."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
