#pragma once
// The door to isocenter_infer_cuda.so, which holds cuDNN and is loaded only when a network is planned for CUDA.
#include <isocenter/operator.hpp>
#include <memory>

#include "core/launch.hpp"
#include "infer/executor.hpp"

namespace isocenter::infer {

/// What the engine is asked for. Both sides are built together: this is no stable interface.
struct CudaEngineRequest {
  Graph graph;
  Precision precision = Precision::float32;
  isocenter::detail::Launcher launcher;  ///< finds the kernels of ours on the device
  int device_index = 0;
  void* user = nullptr;
  /// Device memory with these bytes in it, for the session's life; throws.
  std::byte* (*upload)(void* user, const void* data, std::size_t bytes) = nullptr;
};

/// The symbol that isocenter_infer_cuda.so exports. 0, or an ErrorCode with its message.
using CudaEnginePlan = int (*)(CudaEngineRequest* request, Executor** executor, char* message, std::size_t capacity);
inline constexpr const char* cuda_engine_symbol = "isocenter_infer_cuda_plan";

/// Plans a graph for the node's CUDA device. Errors: unsupported, when the engine is not installed, cuDNN has no plan
/// or does not compute in that precision. The engine lies in `folder`, "" being "engines" beside this module; the first
/// call's counts.
std::unique_ptr<Executor> plan_on_cuda(Graph graph, Precision precision, const isocenter::detail::Launcher& launcher,
                                       PlanContext& plan, const std::string& folder = {});

}  // namespace isocenter::infer
