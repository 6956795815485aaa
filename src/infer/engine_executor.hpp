#pragma once
// Another engine's network as an executor: include/isocenter/infer/engine.h from the other side.
#include <memory>
#include <string>

#include "infer/executor.hpp"
#include "infer/onnx_model.hpp"

namespace isocenter::infer {

struct EngineOptions {
  std::string engine;  ///< a name, or the path of a shared object
  Precision precision = Precision::float32;
  std::string device = "cpu";
  int threads = 1;
  std::string digest;  ///< of the model's file, where the model was read before; another one is refused
};

/// Plans a model's file for its one input of this shape. Errors: not_found (no such engine), unsupported (another
/// version, a Caffe file), and what the engine refuses, in its words.
std::unique_ptr<Executor> plan_with_engine(const OnnxModel& model, const Shape& shape, const EngineOptions& options);

}  // namespace isocenter::infer
