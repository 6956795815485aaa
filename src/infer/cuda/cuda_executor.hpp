#pragma once
// A network on CUDA: convolutions by cuDNN, the rest by kernels of ours, recorded into a CUDA graph. Library and
// runtime come in as interfaces, so that tests run it without a GPU.
#include "infer/cuda/cudnn_convolution.hpp"
#include "infer/cuda/device_queue.hpp"
#include "infer/cuda_engine.hpp"

namespace isocenter::infer {

/// Errors: unsupported, for a node or a precision that CUDA has not.
std::unique_ptr<Executor> plan_with_cudnn(CudaEngineRequest& request, std::shared_ptr<CudnnDevice> cudnn,
                                          std::unique_ptr<DeviceQueue> queue);

}  // namespace isocenter::infer
