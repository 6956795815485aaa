#pragma once
#include <isocenter/infer/network_precision.hpp>
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// Runs a trained network from an ONNX file over a volume and gives what it computes: an image of the same grid (a
/// denoiser), or one volume with a channel for each score.
///
/// | port   | payload | shape                                                   | unit                           |
/// |--------|---------|---------------------------------------------------------|--------------------------------|
/// | input  | Volume  | zyx or tzyx                                             | what the network was trained on |
/// | output | Volume  | as input with one channel, else czyx (tczyx with time)  | as input, or "" for scores     |
///
/// Windows, spacing and intensity scale as in SegmentVolume. With one channel and an intensity scale the result is
/// brought back to the input's unit, and keeps the clip's limits.
/// Errors: everything that is wrong with the model file, its operators and its shapes, before anything runs.
struct NetworkInference {
  static constexpr const char* name = "network_inference";
  static constexpr const char* module = "infer";
  static constexpr const char* summary = "Runs a trained network (ONNX) over a volume in overlapping windows.";
  static constexpr const char* help =
      "For image-to-image networks (denoisers) and for scores; segment_volume gives labels. Spacing, window and "
      "intensity scale come from the model's metadata where they are not set.";
  struct Params {
    std::string model;
    std::vector<double> window;
    float overlap = 0.25F;
    std::string intensity;
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
                "x, y, z of the network's input; empty: the model's own."),
          param(&Params::overlap, "overlap", Unit::none, 0, 0.9, "Part of a window that its neighbour covers too."),
          param(&Params::intensity, "intensity",
                "none, z_score, or clip LOW HIGH scale FROM TO; empty: what the model states, else none."),
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
    In<Volume> input{"input", "The volume that the network reads."};
    Out<Volume> output{"output", "What the network gives."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
