// Volume rendering and its bricks for CUDA, from the shared functors. Never run so far: compiled only.
#include "core/launch.cuh"
#include "render/volume_render.hpp"
ISOCENTER_CUDA_KERNELS(render_volume_render, ISOCENTER_CUDA_KERNEL(isocenter::detail::VolumeRenderKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::BrickRangeKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::BrickContentKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::BrickDistanceKernel))
