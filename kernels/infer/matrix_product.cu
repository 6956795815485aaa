// Never run on a GPU so far: compiled only.
#include "core/launch.cuh"
#include "infer/matrix_product.hpp"
ISOCENTER_CUDA_KERNELS(infer_matrix_product, ISOCENTER_CUDA_KERNEL(isocenter::detail::MatrixProductKernel))
