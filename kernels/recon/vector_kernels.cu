#include "core/launch.cuh"
#include "recon/mask_copy.hpp"
#include "recon/total_variation.hpp"
#include "recon/vector_kernels.hpp"
ISOCENTER_CUDA_KERNELS(
    recon_vector_kernels, ISOCENTER_CUDA_KERNEL(isocenter::detail::FillFloats),
    ISOCENTER_CUDA_KERNEL(isocenter::detail::PointwiseKernel), ISOCENTER_CUDA_KERNEL(isocenter::detail::StepKernel),
    ISOCENTER_CUDA_KERNEL(isocenter::detail::MomentumKernel), ISOCENTER_CUDA_KERNEL(isocenter::detail::ConjugateKernel),
    ISOCENTER_CUDA_KERNEL(isocenter::detail::ReduceKernel), ISOCENTER_CUDA_KERNEL(isocenter::detail::ReducePartsKernel),
    ISOCENTER_CUDA_KERNEL(isocenter::detail::TvPrimal), ISOCENTER_CUDA_KERNEL(isocenter::detail::TvDual),
    ISOCENTER_CUDA_KERNEL(isocenter::detail::MaskCopy))
