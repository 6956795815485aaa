// The CUDA device module: memory, streams and copies through the CUDA runtime, and the table of kernels that were
// compiled from the same functors as the CPU's.
#include <cuda_runtime_api.h>

#include <cstring>
#include <isocenter/operator.hpp>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/device_identity.hpp"
#include "core/launch.hpp"
#include "cuda/kernel_table.hpp"
#include "cuda/services.hpp"

namespace isocenter::detail {
namespace {

struct CudaDevice {
  int index = 0;
  std::string name, description;
  DeviceIdentity identity{};
};

// Host strings of the kernels' own static lifetime, so that a lookup in a run allocates nothing.
const std::unordered_map<std::string_view, const DeviceKernel*>& kernels_by_name() {
  static const auto table = [] {
    std::unordered_map<std::string_view, const DeviceKernel*> all;
    int lists = 0;
    const CudaKernelList* list = cuda_kernel_lists(&lists);
    for (int i = 0; i < lists; ++i) {
      int count = 0;
      const DeviceKernel* kernels = list[i](&count);
      for (int k = 0; k < count; ++k) all[kernels[k].name] = &kernels[k];
    }
    return all;
  }();
  return table;
}

int index_of(void* user) { return static_cast<CudaDevice*>(user)->index; }

int make_current(void* user) { return static_cast<int>(cudaSetDevice(index_of(user))); }

/// Memory that is not there is an answer, not an error that the next launch on this thread should report.
int forgotten(cudaError_t e) {
  if (e != cudaSuccess) (void)cudaGetLastError();
  return static_cast<int>(e);
}

int allocate(void* user, std::uint64_t bytes, void** memory) {
  if (const int e = make_current(user); e != 0) return e;
  return forgotten(cudaMalloc(memory, bytes));
}
void release(void* user, void* memory) {
  if (make_current(user) == 0) cudaFree(memory);
}
int allocate_host(void* user, std::uint64_t bytes, void** memory) {
  if (const int e = make_current(user); e != 0) return e;
  return forgotten(cudaMallocHost(memory, bytes));
}
void release_host(void*, void* memory) { cudaFreeHost(memory); }

int stream_create(void* user, void** stream) {
  if (const int e = make_current(user); e != 0) return e;
  return static_cast<int>(cudaStreamCreateWithFlags(reinterpret_cast<cudaStream_t*>(stream), cudaStreamNonBlocking));
}
void stream_destroy(void*, void* stream) { cudaStreamDestroy(static_cast<cudaStream_t>(stream)); }
int stream_wait(void*, void* stream) {
  return static_cast<int>(cudaStreamSynchronize(static_cast<cudaStream_t>(stream)));
}

int copy(void*, void* to, const void* from, std::uint64_t bytes, void* stream) {
  return static_cast<int>(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, static_cast<cudaStream_t>(stream)));
}
int fill_zero(void*, void* memory, std::uint64_t bytes, void* stream) {
  return static_cast<int>(cudaMemsetAsync(memory, 0, bytes, static_cast<cudaStream_t>(stream)));
}

const void* find(void* user, const char* name) {
  if (std::strcmp(name, DeviceIdentity::name) == 0) return &static_cast<const CudaDevice*>(user)->identity;
  if (const void* service = cuda_service(index_of(user), name); service != nullptr) return service;
  const auto at = kernels_by_name().find(name);
  return at == kernels_by_name().end() ? nullptr : at->second;
}

const char* error_text(void*, int error) { return cudaGetErrorString(static_cast<cudaError_t>(error)); }

}  // namespace

void register_cuda_devices(isocenter_context* context) {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess || count == 0) {
    const std::string reason = error != cudaSuccess ? cudaGetErrorString(error) : "no device is present";
    isocenter_report_missing_device(context, "cuda", reason.c_str());
    throw Failure(ErrorCode::unsupported, "no CUDA device can be used: " + reason,
                  "install a driver for CUDA " + std::to_string(CUDART_VERSION / 1000) + ", or use \"cpu\"");
  }
  // Devices of a process are the same for every context; they live as long as the module.
  static std::vector<std::unique_ptr<CudaDevice>> devices;
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp properties{};
    if (const cudaError_t e = cudaGetDeviceProperties(&properties, i); e != cudaSuccess) {
      isocenter_report_missing_device(context, "cuda", cudaGetErrorString(e));
      continue;
    }
    auto device = std::make_unique<CudaDevice>();
    device->index = i;
    device->name = "cuda:" + std::to_string(i);
    device->description = std::string(properties.name) + ", compute capability " + std::to_string(properties.major) +
                          "." + std::to_string(properties.minor);
    device->identity.struct_size = sizeof(DeviceIdentity);
    static_assert(sizeof device->identity.id == sizeof properties.uuid.bytes);
    std::memcpy(device->identity.id, properties.uuid.bytes, sizeof device->identity.id);
    isocenter_device_type type{};
    type.struct_size = sizeof type;
    type.index = i;
    type.name = device->name.c_str();
    type.type = "cuda";
    type.description = device->description.c_str();
    type.memory_bytes = properties.totalGlobalMem;
    type.user = device.get();
    type.allocate = allocate;
    type.release = release;
    type.allocate_host = allocate_host;
    type.release_host = release_host;
    type.stream_create = stream_create;
    type.stream_destroy = stream_destroy;
    type.stream_wait = stream_wait;
    type.copy = copy;
    type.fill_zero = fill_zero;
    type.find = find;
    type.error_text = error_text;
    type.make_current = make_current;
    call([&](auto* e) { return isocenter_register_device(context, &type, e); });
    devices.push_back(std::move(device));
  }
}

}  // namespace isocenter::detail

extern "C" ISOCENTER_API const std::uint32_t isocenter_module_abi;
extern "C" const std::uint32_t isocenter_module_abi = ISOCENTER_VERSION_MAJOR;
extern "C" ISOCENTER_API isocenter_status isocenter_module_register(isocenter_context* context,
                                                                    isocenter_error* error) {
  return isocenter::detail::guarded(error, [&]() -> isocenter_status {
    isocenter::detail::register_cuda_devices(context);
    return ISOCENTER_OK;
  });
}
