#pragma once
// The door to isocenter_infer_cuda.so, which holds cuDNN and is loaded only when a network is planned for CUDA.
#include <algorithm>
#include <isocenter/operator.hpp>
#include <memory>
#include <span>
#include <vector>

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

/// Weights of a plan as they were uploaded, for a plan of the same session that needs the same.
struct UploadedWeights {
  std::vector<std::byte> packed;
  std::byte* on_device = nullptr;
  bool shared = false;  ///< the last plan took what was there
};

/// The place of these bytes on the device: where they are, or where `upload` puts them.
template <class Upload>
std::byte* upload_once(UploadedWeights* weights, std::span<const std::byte> bytes, Upload upload) {
  if (weights == nullptr) return upload(bytes);
  weights->shared = weights->on_device != nullptr && std::ranges::equal(weights->packed, bytes);
  if (weights->shared) return weights->on_device;
  std::byte* const place = upload(bytes);
  weights->packed.assign(bytes.begin(), bytes.end());
  return weights->on_device = place;
}

/// Plans a graph for the node's CUDA device. With `weights` it takes those of the plan before, where they are the same.
/// Errors: unsupported, when the engine is not installed, cuDNN has no plan or does not compute in that precision. The
/// engine lies in `folder`, "" being "engines" beside this module; the first call's counts.
std::unique_ptr<Executor> plan_on_cuda(Graph graph, Precision precision, const isocenter::detail::Launcher& launcher,
                                       PlanContext& plan, UploadedWeights* weights = nullptr,
                                       const std::string& folder = {});

}  // namespace isocenter::infer
