#pragma once
#include <isocenter/infer/network_precision.hpp>
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// Labels every voxel with a trained network from an ONNX file.
///
/// The volume's axes are turned to the ones that the network was trained on (a coronal series is segmented as an axial
/// one is; the labels lie on the volume's own grid); it is brought to the spacing that the network was trained at
/// (where the model states one), its intensities to the scale that it was trained on; the network runs in overlapping
/// windows whose scores are blended with Gaussian weights; the scores are interpolated back to the volume's grid, where
/// the class with the highest one wins.
///
/// | port   | payload      | shape         | unit                                        |
/// |--------|--------------|---------------|---------------------------------------------|
/// | input  | Volume       | zyx or tzyx   | what the network was trained on, HU for CT  |
/// | output | Segmentation | as input      | one label a voxel, uint8, names and colours |
///
/// The network has one input (1, 1, z, y, x) or, slice by slice, (1, 1, y, x), and gives scores (1, classes, ...) on
/// the same grid: with one class, label 1 stands where the score is above `threshold`. Class names, colours, spacing,
/// axes, window and intensity scale come from the model's metadata_props (docs/infer/models.md); parameters that are
/// set here count more. Memory: the network's arena, and one window's depth of scores over the volume's (network's)
/// rows and columns; it does not grow with the number of slices, but for one frame of float32 where the axes are
/// turned. Errors: everything that is wrong with the model file, its operators and its shapes, before anything runs.
struct SegmentVolume {
  static constexpr const char* name = "segment_volume";
  static constexpr const char* module = "infer";
  static constexpr const char* summary = "Labels every voxel with a trained network (ONNX), in overlapping windows.";
  static constexpr const char* help =
      "Spacing, window, intensity scale, class names and colours come from the model's metadata where they are not "
      "set. "
      "The model's SHA-256 is part of the report and of the provenance.";
  struct Params {
    std::string model;
    std::vector<double> window;
    float overlap = 0.25F;
    std::string intensity;
    float threshold = 0.5F;
    bool largest_component = false;
    NetworkPrecision precision = NetworkPrecision::float32;
    bool check_numbers = false;
    std::string engine;
    int batch = 1;
    int stream_batch = 1;
    int keep_plans_mb = 0;
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::model, "model", "The ONNX file, or a Caffe .prototxt with its .caffemodel beside it.",
                required | path),
          param(&Params::window, "window", Unit::px, 1, 4096,
                "x, y, z of the network's input, along the network's axes; empty: the model's own."),
          param(&Params::overlap, "overlap", Unit::none, 0, 0.9, "Part of a window that its neighbour covers too."),
          param(&Params::intensity, "intensity",
                "none, z_score, or clip LOW HIGH scale FROM TO; empty: what the model states, else none."),
          param(&Params::threshold, "threshold", Unit::none, -1e6, 1e6,
                "For a network with one class: its score's limit."),
          param(&Params::largest_component, "largest_component",
                "Keep only the largest connected part of each label (6 neighbours)."),
          choice(&Params::precision, "precision", network_precisions,
                 "What the network computes in; the CPU has float32, bfloat16 and, after calibrate_network, int8."),
          param(&Params::check_numbers, "check_numbers",
                "Look at all values after every node, and name the node that gives the first NaN; slow."),
          param(
              &Params::engine, "engine",
              "Another engine for the network: its name or its shared object (isocenter/infer/engine.h); empty: ours."),
          param(&Params::batch, "batch", Unit::none, 1, 256,
                "Windows that the network takes at once, at most; the arena grows with it."),
          param(
              &Params::stream_batch, "stream_batch", Unit::none, 1, 256,
              "Items of the stream that the network takes at once, each of one window; an item waits for the others."),
          param(&Params::keep_plans_mb, "keep_plans_mb", Unit::none, 0, 65536,
                "Megabytes of weights of plans that wait in the process, on the CPU, for a session of the same network "
                "and window; 0: this session's goes with it."),
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
