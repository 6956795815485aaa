#include "core/launch.cuh"
#include "recon/beam_hardening.hpp"
ISOCENTER_CUDA_KERNELS(recon_beam_hardening, ISOCENTER_CUDA_KERNEL(isocenter::detail::BeamHardeningKernel))
