#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// What a trained network's file holds and what it would cost, before anything runs. No ports: a pipeline of this one
/// node is prepared, and its facts "model.report" (JSON) and "model.report.text" (lines for people) are read from the
/// session's report.
///
/// Operations, memory and what CUDA refuses are stated for one shape: the file's, with `shapes` for extents that it
/// leaves free. An operation is a multiplication or an addition in a convolution or matrix product; others are not
/// counted. Cost: the file is read, checked and planned for the CPU.
///
/// Errors: those of reading the file, and shapes that do not fit the model. Operators that are not supported are not an
/// error here: they are listed.
struct ModelInspect {
  static constexpr const char* name = "model_inspect";
  static constexpr const char* module = "infer";
  static constexpr const char* summary = "Reports what a trained network (ONNX, Caffe) holds, costs and lacks.";
  static constexpr const char* help = "The report is in the node's facts: model.report (JSON) and model.report.text.";
  static constexpr bool host_only = true;
  struct Params {
    std::string model;
    std::string shapes;
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::model, "model", "The ONNX file, or a Caffe .prototxt with its .caffemodel.", required | path),
          param(&Params::shapes, "shapes",
                "INPUT=1x1x96x96x96, several after commas: the shapes of inputs that the file leaves free."),
      };
    }
  };
  struct Ports {
    static constexpr auto describe() { return std::tuple{}; }
  };
};

}  // namespace isocenter::inline v1
