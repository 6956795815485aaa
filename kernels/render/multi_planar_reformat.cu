#include "core/launch.cuh"
#include "render/multi_planar_reformat.hpp"
ISOCENTER_CUDA_KERNELS(render_multi_planar_reformat, ISOCENTER_CUDA_KERNEL(isocenter::detail::ReformatKernel))
