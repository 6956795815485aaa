// Never run on a GPU so far: compiled only.
#include "core/launch.cuh"
#include "infer/copy.hpp"
namespace {
using isocenter::detail::bfloat16;
using isocenter::detail::float16;
template <class In, class Out>
using Kernel = isocenter::detail::CopyKernelOf<In, Out>;
using Float32 = Kernel<float, float>;
using ToBfloat16 = Kernel<float, bfloat16>;
using FromBfloat16 = Kernel<bfloat16, float>;
using Bfloat16 = Kernel<bfloat16, bfloat16>;
using ToFloat16 = Kernel<float, float16>;
using FromFloat16 = Kernel<float16, float>;
using Float16 = Kernel<float16, float16>;
}  // namespace
ISOCENTER_CUDA_KERNELS(infer_copy, ISOCENTER_CUDA_KERNEL(Float32), ISOCENTER_CUDA_KERNEL(ToBfloat16),
                       ISOCENTER_CUDA_KERNEL(FromBfloat16), ISOCENTER_CUDA_KERNEL(Bfloat16),
                       ISOCENTER_CUDA_KERNEL(ToFloat16), ISOCENTER_CUDA_KERNEL(FromFloat16),
                       ISOCENTER_CUDA_KERNEL(Float16))
