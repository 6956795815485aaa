#pragma once
// Structural similarity of two volumes, slice by slice.
#include <cstdint>

#include "recon/volume_error.hpp"

namespace isocenter::detail {

/// The mean over the region of Wang, Bovik, Sheikh and Simoncelli's index (IEEE Trans. Image Process. 13 (2004) 600,
/// equation 13) of each z slice: Gaussian window of 11 × 11 pixels and standard deviation 1.5, K1 = 0.01, K2 = 0.03,
/// the dynamic range L = `range`, values counted from `vacuum`. A window that reaches over the slice's border is cut
/// there and its weights divided by their sum. Where both windows are the same constants and L is 0, the index is 1.
/// Sums run over slices in order, so that they do not depend on threads; `scratch` is structural_similarity_sums(nx,
/// nz) doubles. Not a number when a voxel of either is.
double structural_similarity(const Launcher& threads, const float* volume, const float* truth, std::int64_t nx,
                             std::int64_t ny, std::int64_t nz, const ErrorRegion& region, double vacuum, double range,
                             double* scratch);
constexpr std::uint64_t structural_similarity_sums(std::int64_t nx, std::int64_t nz) {
  return static_cast<std::uint64_t>(nz) * (2 + 5 * static_cast<std::uint64_t>(nx));
}

}  // namespace isocenter::detail
