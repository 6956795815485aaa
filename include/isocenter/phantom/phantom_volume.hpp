#pragma once
#include <isocenter/operator.hpp>
#include <isocenter/phantom/phantom_parameters.hpp>

namespace isocenter::inline v1 {

enum class PhantomUnit { hu, per_mm, relative };

/// The truth: a phantom's values and tissue labels on a grid of voxels.
///
/// | port   | payload      | shape                                    | unit               |
/// |--------|--------------|------------------------------------------|--------------------|
/// | output | Volume       | zyx, or tzyx when frames > 1             | HU, 1/mm or 1      |
/// | labels | Segmentation | the same                                 | names as attribute |
///
/// The grid is centred on centre_mm, its axes are the patient's. Frame k of `frames` shows the phantom at
/// time_s + k · breathing_period_s / frames. With samples = 1 a voxel is the exact value at its centre; with n it is
/// the mean over the voxel, exact along x, over n × n lines in y and z. Item i of `count` has seed + i. Errors:
/// invalid_argument when spacing_mm has not one or three numbers, centre_mm not three.
struct PhantomVolume {
  static constexpr const char* name = "phantom_volume";
  static constexpr const char* module = "phantom";
  static constexpr const char* summary = "An analytic phantom as voxels and tissue labels.";
  static constexpr const char* help =
      "Values come from the solids' equations, so they are exact at voxel centres (samples 1). Runs on the CPU.";
  static constexpr bool host_only = true;
  struct Params {
    PhantomKind phantom = PhantomKind::shepp_logan;
    double radius_mm = 100;
    double height_mm = 200;
    std::int64_t seed = 0;
    double breathing_period_s = 4;
    double diaphragm_mm = 18;
    double lesion_motion_mm = 14;
    double lesion_radius_mm = 12;
    double heart_period_s = 0;
    double mu_water_per_mm = 0.02059;
    std::int64_t nx = 256, ny = 256, nz = 256;
    std::vector<double> spacing_mm = {1.5};
    std::vector<double> centre_mm = {0, 0, 0};
    std::int64_t samples = 1;
    PhantomUnit unit = PhantomUnit::hu;
    double time_s = 0;
    std::int64_t frames = 1;
    std::int64_t count = 1;
    static constexpr const char* units[] = {"HU", "1/mm", "relative"};
    static constexpr auto describe() {
      return std::tuple_cat(
          phantom_parameters<Params>(),
          std::tuple{
              param(&Params::nx, "nx", Unit::px, 1, 8192, "Voxels along x, to the patient's left."),
              param(&Params::ny, "ny", Unit::px, 1, 8192, "Voxels along y, to the patient's back."),
              param(&Params::nz, "nz", Unit::px, 1, 8192, "Voxels along z, to the patient's head."),
              param(&Params::spacing_mm, "spacing_mm", Unit::mm, 1e-3, 1000, "Voxel size: one number, or x, y, z."),
              param(&Params::centre_mm, "centre_mm", Unit::mm, -1e5, 1e5, "Where the grid's centre is."),
              param(&Params::samples, "samples", Unit::none, 1, 16,
                    "1: the value at the voxel's centre; n: the mean over n x n lines through the voxel."),
              choice(&Params::unit, "unit", units, "HU, 1/mm, or relative to water."),
              param(&Params::time_s, "time_s", Unit::s, -1e6, 1e6, "The moment of the (first) frame."),
              param(&Params::frames, "frames", Unit::none, 1, 1000,
                    "Moments over one breathing period; 1: no time axis."),
              param(&Params::count, "count", Unit::none, 1, 1e9, "Items to give; item i has seed + i."),
          });
    }
  };
  struct Ports {
    Out<Volume> output{"output", "The phantom's values."};
    Out<Segmentation> labels{"labels", "The tissue of every voxel's centre."};
    static constexpr auto describe() { return std::tuple{&Ports::output, &Ports::labels}; }
  };
};

}  // namespace isocenter::inline v1
