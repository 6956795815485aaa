// The symbol that isocenter_infer loads. Never run on a GPU so far: compiled and linked only.
#include <cstdio>

#include "infer/cuda/cuda_executor.hpp"

/// See CudaEnginePlan: no exception crosses the two shared objects.
extern "C" __attribute__((visibility("default"))) int isocenter_infer_cuda_plan(
    isocenter::infer::CudaEngineRequest* request, isocenter::infer::Executor** executor, char* message,
    std::size_t capacity) {
  using isocenter::ErrorCode;
  try {
    auto queue = isocenter::infer::cuda_queue(request->device_index);
    queue->make_current();
    *executor = isocenter::infer::plan_with_cudnn(*request, isocenter::infer::CudnnDevice::present(), std::move(queue))
                    .release();
    return 0;
  } catch (const isocenter::Error& e) {
    std::snprintf(message, capacity, "%s", e.what());
    return static_cast<int>(e.code());
  } catch (const std::exception& e) {
    std::snprintf(message, capacity, "planning a network for CUDA failed: %s. Fix: report this with the model.",
                  e.what());
    return static_cast<int>(ErrorCode::internal);
  }
}
