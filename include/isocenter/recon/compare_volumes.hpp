#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// How far a volume is from the truth, for each time frame.
///
/// | port  | payload | shape                     | unit     |
/// |-------|---------|---------------------------|----------|
/// | input | Volume  | zyx or tzyx               | any      |
/// | truth | Volume  | as input, or without time | as input |
///
/// Metrics, one number for each frame: "rmse" and "mean_error" and "largest_error" in the volumes' unit;
/// "relative_error", ‖input - truth‖ / ‖truth‖, with values counted from vacuum (HU from -1000); "psnr_db", 20
/// log10(range / rmse), where range is the truth's largest minus its smallest value in the region; "ssim", the mean
/// over the region of the structural similarity of the z slices (Wang, Bovik, Sheikh and Simoncelli, IEEE Trans. Image
/// Process. 13 (2004) 600: Gaussian window of 11 × 11 voxels and standard deviation 1.5, cut at the slice's border; K1
/// = 0.01, K2 = 0.03, L = range; values counted from vacuum). The region is the voxels whose centre lies within
/// radius_mm of centre_mm and within half_height_mm of it along z. Sums are in double, in a fixed order. Errors:
/// invalid_argument when shapes, geometries or units differ or the region is empty.
struct CompareVolumes {
  static constexpr const char* name = "compare_volumes";
  static constexpr const char* module = "recon";
  static constexpr const char* summary = "Error, bias, PSNR and SSIM of a volume against the truth.";
  static constexpr const char* help = "A sink: its figures are in the report. Runs on the CPU.";
  static constexpr bool host_only = true;
  struct Params {
    double radius_mm = 0;
    double half_height_mm = 0;
    std::vector<double> centre_mm = {0, 0, 0};
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::radius_mm, "radius_mm", Unit::mm, 0, 1e6,
                "Radius of the region around the z axis; 0: no limit."),
          param(&Params::half_height_mm, "half_height_mm", Unit::mm, 0, 1e6, "Half the region's height; 0: no limit."),
          param(&Params::centre_mm, "centre_mm", Unit::mm, -1e6, 1e6, "The region's centre: x, y, z."),
      };
    }
  };
  struct Ports {
    In<Volume> input{"input", "What is judged."};
    In<Volume> truth{"truth", "What it should be."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::truth}; }
  };
};

}  // namespace isocenter::inline v1
