#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// Makes a trained network ready for precision = int8: runs it in float32 over representative volumes, measures where
/// what its convolutions and matrix products read lies, and writes the model again with these ranges in its metadata
/// (`isocenter.calibration`). Everything else in the file stays as it is, byte for byte.
///
/// | port  | payload | shape       | unit                           |
/// |-------|---------|-------------|--------------------------------|
/// | input | Volume  | zyx or tzyx | what the network was trained on |
///
/// All items of the stream count; the file is written when it ends, whole or not at all. Orientation, spacing, windows
/// and intensity are those of segment_volume and network_inference, so that what is measured is what the network will
/// see. Memory: theirs, and 32 KiB for each convolution.
/// Errors: those of reading and planning the model; unsupported for weights in other files; io_error with the path.
struct CalibrateNetwork {
  static constexpr const char* name = "calibrate_network";
  static constexpr const char* module = "infer";
  static constexpr const char* summary = "Measures a trained network's ranges on volumes, for int8.";
  static constexpr const char* help =
      "Give it some tens of windows like those that the network will read, of every kind of patient and scanner.";
  static constexpr bool host_only = true;
  struct Params {
    std::string model;
    std::string file;
    std::vector<double> window;
    float overlap = 0.25F;
    std::string intensity;
    double percentile = 99.99;
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::model, "model", "The ONNX file.", required | path),
          param(&Params::file, "file", "The ONNX file that is written: the model with its ranges.", required | path),
          param(&Params::window, "window", Unit::px, 1, 4096,
                "x, y, z of the network's input; empty: the model's own."),
          param(&Params::overlap, "overlap", Unit::none, 0, 0.9, "Part of a window that its neighbour covers too."),
          param(&Params::intensity, "intensity",
                "none, z_score, or clip LOW HIGH scale FROM TO; empty: what the model states, else none."),
          param(&Params::percentile, "percentile", Unit::none, 90, 100,
                "Part of the values, in per cent, that a range holds at least; what lies outside is cut."),
      };
    }
  };
  struct Ports {
    In<Volume> input{"input", "What the network reads."};
    static constexpr auto describe() { return std::tuple{&Ports::input}; }
  };
};

}  // namespace isocenter::inline v1
