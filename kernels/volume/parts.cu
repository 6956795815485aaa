// Never run on a GPU so far: compiled only.
#include "core/launch.cuh"
#include "volume/parts.hpp"
#include "volume/zero.hpp"
ISOCENTER_CUDA_KERNELS(volume_parts, ISOCENTER_CUDA_KERNEL(isocenter::detail::ZeroKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::StartPartsKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::JoinPartsKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::FlattenPartsKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::MarkRootsKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::CountPartsKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::NextPartKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::KeepPartsKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::NoteHolesKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::FillHolesKernel))
