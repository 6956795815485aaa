// The service "fft" (kernels/core/fft.hpp) over cuFFT.
#include "core/fft.hpp"

#include <cuda_runtime_api.h>
#include <cufft.h>

#include <new>

#include "cuda/services.hpp"

namespace isocenter::detail {
namespace {

struct CufftPlan {
  cufftHandle forward = 0, backward = 0;
  bool has_forward = false, has_backward = false;
};

void destroy(void* plan) {
  auto* p = static_cast<CufftPlan*>(plan);
  if (p == nullptr) return;
  if (p->has_forward) cufftDestroy(p->forward);
  if (p->has_backward) cufftDestroy(p->backward);
  delete p;
}

/// Makes one direction's handle, which takes its workspace from us.
int make_handle(cufftHandle* handle, bool* made, cufftType type, std::int64_t length, std::int64_t count,
                std::uint64_t* workspace_bytes) {
  if (const int e = cufftCreate(handle); e != CUFFT_SUCCESS) return e;
  *made = true;
  if (const int e = cufftSetAutoAllocation(*handle, 0); e != CUFFT_SUCCESS) return e;
  const long long spectrum = length / 2 + 1;
  const bool forward = type == CUFFT_R2C;
  long long n[1] = {length}, in_extent[1] = {forward ? length : spectrum},
            out_extent[1] = {forward ? spectrum : length};
  std::size_t bytes = 0;
  if (const int e = cufftMakePlanMany64(*handle, 1, n, in_extent, 1, in_extent[0], out_extent, 1, out_extent[0], type,
                                        count, &bytes);
      e != CUFFT_SUCCESS)
    return e;
  if (bytes > *workspace_bytes) *workspace_bytes = bytes;
  return CUFFT_SUCCESS;
}

int plan_real(std::int32_t index, std::int64_t length, std::int64_t count, void** plan,
              std::uint64_t* workspace_bytes) {
  *plan = nullptr;
  *workspace_bytes = 0;
  if (cudaSetDevice(index) != cudaSuccess) return CUFFT_INVALID_DEVICE;
  auto* p = new (std::nothrow) CufftPlan;
  if (p == nullptr) return CUFFT_ALLOC_FAILED;
  int error = make_handle(&p->forward, &p->has_forward, CUFFT_R2C, length, count, workspace_bytes);
  if (error == CUFFT_SUCCESS)
    error = make_handle(&p->backward, &p->has_backward, CUFFT_C2R, length, count, workspace_bytes);
  if (error != CUFFT_SUCCESS) {
    destroy(p);
    return error;
  }
  *plan = p;
  return CUFFT_SUCCESS;
}

int prepare(cufftHandle handle, void* workspace, void* stream) {
  if (const int e = cufftSetStream(handle, static_cast<cudaStream_t>(stream)); e != CUFFT_SUCCESS) return e;
  return cufftSetWorkArea(handle, workspace);
}

int forward(void* plan, float* rows, float* spectra, void* workspace, void* stream) {
  const cufftHandle handle = static_cast<CufftPlan*>(plan)->forward;
  if (const int e = prepare(handle, workspace, stream); e != CUFFT_SUCCESS) return e;
  return cufftExecR2C(handle, rows, reinterpret_cast<cufftComplex*>(spectra));
}

int backward(void* plan, float* spectra, float* rows, void* workspace, void* stream) {
  const cufftHandle handle = static_cast<CufftPlan*>(plan)->backward;
  if (const int e = prepare(handle, workspace, stream); e != CUFFT_SUCCESS) return e;
  return cufftExecC2R(handle, reinterpret_cast<cufftComplex*>(spectra), rows);
}

const char* error_text(int error) {
  switch (error) {
    case CUFFT_ALLOC_FAILED:
      return "cuFFT could not allocate memory";
    case CUFFT_INVALID_SIZE:
      return "cuFFT does not take this transform length";
    case CUFFT_INVALID_DEVICE:
      return "cuFFT could not use the device";
    case CUFFT_EXEC_FAILED:
      return "cuFFT could not execute a transform";
    default:
      return "cuFFT failed";
  }
}

}  // namespace

const void* cuda_fft_service() {
  static const FftService service = {sizeof(FftService), plan_real, forward, backward, destroy, error_text};
  return &service;
}

}  // namespace isocenter::detail
