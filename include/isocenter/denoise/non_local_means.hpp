#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// Non-local means of a volume: each voxel becomes the mean of those voxels in a search box whose surroundings look
/// like its own.
///
/// Weights: exp(-max(d² - 2 σ², 0) / (strength σ)²) with d² the mean squared difference of the two patches. Methods:
/// Buades, Coll and Morel, "A non-local algorithm for image denoising", CVPR 2005, and (for the 2 σ²) Image Processing
/// On Line 1, 2011, section 2; in 3-D: Coupé et al., IEEE Transactions on Medical Imaging 27(4), 2008.
///
/// | port   | payload | shape       | unit     |
/// |--------|---------|-------------|----------|
/// | input  | Volume  | zyx or tzyx | any      |
/// | output | Volume  | as input    | as input |
///
/// Radii count voxels of the axis with the smallest spacing and shrink on the others, so that thick slices are not
/// mixed over more millimetres than thin ones: r · smallest spacing / spacing, rounded. Without `sigma` the noise of
/// each time frame is estimated from pseudo-residuals and their median (Gasser et al., Biometrika 73, 1986; Coupé et
/// al., section III-A), which takes noise to be uncorrelated between voxels: give `sigma` where a reconstruction
/// smoothed it. On the CPU the metric noise_sigma reports what was used.
///
/// Cost: half of the search box's voxels, some 45 operations each, whatever the patch size. Scratch memory: three times
/// the padded volume, at most about 256 MiB (large slices: 16 slices' worth), less when the memory budget is small.
/// Errors: bad_data when σ is to be estimated and no axis has 3 voxels.
struct NonLocalMeans {
  static constexpr const char* name = "non_local_means";
  static constexpr const char* module = "denoise";
  static constexpr const char* summary = "Denoising by averaging voxels whose surroundings look alike.";
  static constexpr const char* help =
      "Buades, Coll, Morel, CVPR 2005 in 3-D (Coupe et al., IEEE TMI 2008). The noise is estimated when sigma is 0. "
      "More strength smooths more; edges and vessels whose contrast is several times the noise stay.";
  struct Params {
    std::int64_t search_radius = 5;
    std::int64_t patch_radius = 1;
    float strength = 0.8F;
    float sigma = 0.0F;
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::search_radius, "search_radius", Unit::px, 1, 15,
                "How far similar voxels are looked for, in voxels of the finest axis."),
          param(&Params::patch_radius, "patch_radius", Unit::px, 0, 3,
                "Size of the surroundings that are compared, in voxels of the finest axis."),
          param(&Params::strength, "strength", Unit::none, 0.05, 10, "Filter strength h as a multiple of the noise."),
          param(&Params::sigma, "sigma", Unit::none, 0, 1e6,
                "Standard deviation of the noise in the volume's own unit; 0: estimate it."),
      };
    }
  };
  struct Ports {
    In<Volume> input{"input", "The noisy volume."};
    Out<Volume> output{"output", "The denoised volume."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
