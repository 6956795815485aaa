#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// Edge-preserving smoothing of a volume.
///
/// Each voxel becomes the mean of its neighbours, weighted by exp(-distance² / 2 σ_space² - difference² / 2 σ_range²).
/// Method: Tomasi and Manduchi, "Bilateral filtering for gray and color images", ICCV 1998, eq. 5 and section 2.1, in
/// three dimensions; distances are in mm, so voxels need not be cubes.
///
/// | port   | payload | shape       | unit     |
/// |--------|---------|-------------|----------|
/// | input  | Volume  | zyx or tzyx | any      |
/// | output | Volume  | as input    | as input |
///
/// Beyond the border stands the nearest voxel; time frames are filtered each on its own. Cost: product of (2r + 1) over
/// the axes reads a voxel, r = ceil(2 σ_space / spacing). Errors: invalid_argument when r is above 16 on an axis.
struct BilateralDenoise {
  static constexpr const char* name = "bilateral_denoise";
  static constexpr const char* module = "denoise";
  static constexpr const char* summary = "Edge-preserving smoothing: a mean weighted by distance and by difference.";
  static constexpr const char* help =
      "Tomasi and Manduchi, ICCV 1998, in 3-D with distances in mm. Good against weak noise; for strong noise "
      "non_local_means keeps more detail.";
  struct Params {
    float sigma_space_mm = 1.0F;
    float sigma_range = 60.0F;
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::sigma_space_mm, "sigma_space_mm", Unit::mm, 0.01, 100, "How far the mean reaches, as a σ."),
          param(&Params::sigma_range, "sigma_range", Unit::none, 1e-6, 1e6,
                "Which differences still count as noise, as a σ in the volume's own unit; 2 to 3 times the noise."),
      };
    }
  };
  struct Ports {
    In<Volume> input{"input", "The volume to smooth."};
    Out<Volume> output{"output", "The smoothed volume."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
