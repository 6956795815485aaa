#pragma once
// What every operator with a network plans alike: the executor for its window, and what the report says of it.
#include <isocenter/operator.hpp>
#include <memory>
#include <string>

#include "infer/cuda_engine.hpp"
#include "infer/executor.hpp"
#include "infer/onnx_model.hpp"

namespace isocenter::infer {

struct NetworkOptions {
  Precision precision = Precision::float32;
  std::string digest;  ///< of the model's file: sessions share weights and plans by it
  std::string engine;  ///< another engine's name (engine_executor.hpp); "" is ours
  /// Weights of plans that wait for a next session after this one's end (plan_cache.hpp), on the CPU; 0: none do.
  std::int64_t kept_bytes = 0;
  const PlanSummary* beside = nullptr;  ///< of this session's plan for another shape, whose weights are declared
  UploadedWeights* uploaded = nullptr;  ///< on a GPU: that plan's weights, which this one takes where they are the same
  bool on_grid = true;                  ///< the output has to be float32 on the input's grid
};

/// The model for its one input of this shape, on the plan's device. On the CPU sessions share their weights by the
/// file's digest; each declares them, so that no session's end changes what another one needs. Errors: unsupported,
/// also where the output is not float32 on the input's grid.
std::unique_ptr<Executor> plan_network(PlanContext& plan, const OnnxModel& model, const Shape& shape,
                                       const NetworkOptions& options);

/// Facts on model, engine, precision and memory, and a warning where nodes run in plain loops.
void state_network(PlanContext& plan, const OnnxModel& model, const std::string& digest, const PlanSummary& summary);

}  // namespace isocenter::infer
