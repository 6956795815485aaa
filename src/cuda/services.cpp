#include "cuda/services.hpp"

#include <cuda_runtime_api.h>

#include <cstring>

#include "core/streams.hpp"

namespace isocenter::detail {

const void* cuda_fft_service();  // fft_cufft.cpp

namespace {

/// An event in between: freed at once, which CUDA allows while it is still waited for.
int follow(void* stream, void* other) {
  cudaEvent_t event{};
  if (const cudaError_t e = cudaEventCreateWithFlags(&event, cudaEventDisableTiming); e != cudaSuccess)
    return static_cast<int>(e);
  cudaError_t e = cudaEventRecord(event, static_cast<cudaStream_t>(other));
  if (e == cudaSuccess) e = cudaStreamWaitEvent(static_cast<cudaStream_t>(stream), event, 0);
  const cudaError_t freed = cudaEventDestroy(event);
  return static_cast<int>(e == cudaSuccess ? freed : e);
}

}  // namespace

const void* cuda_service(int, const char* name) {
  static const StreamService streams = {sizeof(StreamService), follow};
  if (std::strcmp(name, StreamService::name) == 0) return &streams;
  return std::strcmp(name, "fft") == 0 ? cuda_fft_service() : nullptr;
}

}  // namespace isocenter::detail
