#pragma once
// The lists of kernels that the build compiled with nvcc; the table itself is written by CMake.
#include "core/launch.hpp"

namespace isocenter::detail {

using CudaKernelList = const DeviceKernel* (*)(int* count);
const CudaKernelList* cuda_kernel_lists(int* count);

}  // namespace isocenter::detail
