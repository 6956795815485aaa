// Never run on a GPU so far: compiled only.
#include "core/launch.cuh"
#include "infer/live_indices.hpp"
ISOCENTER_CUDA_KERNELS(infer_live_indices, ISOCENTER_CUDA_KERNEL(isocenter::detail::GatherIndexedKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::GatherPositionsKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::ScatterTargetsKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::ScatterKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::ReverseSequenceKernel))
