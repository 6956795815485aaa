// Never run on a GPU so far: compiled only.
#include "core/launch.cuh"
#include "infer/image.hpp"
ISOCENTER_CUDA_KERNELS(infer_image, ISOCENTER_CUDA_KERNEL(isocenter::detail::ImagePlanesKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::NetworkImageKernel))
