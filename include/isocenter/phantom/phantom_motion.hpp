#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// The truth of the moving thorax' motion: a displacement field over one breath, for motion-compensated reconstruction
/// and for whatever estimates motion.
///
/// | port    | payload | shape | unit |
/// |---------|---------|-------|------|
/// | x, y, z | Volume  | tzyx  | mm   |
///
/// Tissue that is at p at the end of exhalation (time 0) is at p + (x, y, z)(p) at k · breathing_period_s / frames in
/// frame k. The phantom's parts slide along each other, which no smooth field does: this one is exact for the lesion
/// and its neighbourhood, the lung and the domes outside the mediastinum, and the middle of the heart; 0 in the chest's
/// wall and along the spine; and goes smoothly from one to the other (src/phantom/thorax_motion.hpp has the formula).
/// The grid's axes are the patient's. Errors: invalid_argument when spacing_mm or centre_mm have not three numbers.
struct PhantomMotion {
  static constexpr const char* name = "phantom_motion";
  static constexpr const char* module = "phantom";
  static constexpr const char* summary = "The moving thorax' displacement field.";
  static constexpr const char* help =
      "Displacements in mm from the end of exhalation to each phase of a breath, one volume for each axis. Runs on the "
      "CPU.";
  static constexpr bool host_only = true;
  struct Params {
    std::int64_t seed = 0;
    double breathing_period_s = 4;
    double diaphragm_mm = 18;
    double lesion_motion_mm = 14;
    double lesion_radius_mm = 12;
    std::int64_t frames = 10;
    std::int64_t nx = 48, ny = 40, nz = 48;
    std::vector<double> spacing_mm = {8};
    std::vector<double> centre_mm = {0, 0, -40};
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::seed, "seed", Unit::none, 0, 9e15, "0 is the standard chest; every other number another."),
          param(&Params::breathing_period_s, "breathing_period_s", Unit::s, 0.1, 1000, "One breath."),
          param(&Params::diaphragm_mm, "diaphragm_mm", Unit::mm, 0, 60, "How far the diaphragm goes down."),
          param(&Params::lesion_motion_mm, "lesion_motion_mm", Unit::mm, 0, 60, "How far the lesion goes down."),
          param(&Params::lesion_radius_mm, "lesion_radius_mm", Unit::mm, 0.5, 60,
                "The lesion's radius; times 0.5 to 1.5 with a seed."),
          param(&Params::frames, "frames", Unit::none, 1, 1000, "Moments over one breath."),
          param(&Params::nx, "nx", Unit::px, 1, 1024, "Nodes along x, to the patient's left."),
          param(&Params::ny, "ny", Unit::px, 1, 1024, "Nodes along y, to the patient's back."),
          param(&Params::nz, "nz", Unit::px, 1, 1024, "Nodes along z, to the patient's head."),
          param(&Params::spacing_mm, "spacing_mm", Unit::mm, 0.1, 1000, "Between nodes: one number, or x, y, z."),
          param(&Params::centre_mm, "centre_mm", Unit::mm, -1e5, 1e5, "Where the grid's centre is."),
      };
    }
  };
  struct Ports {
    Out<Volume> x{"x", "Displacement along x."};
    Out<Volume> y{"y", "Displacement along y."};
    Out<Volume> z{"z", "Displacement along z."};
    static constexpr auto describe() { return std::tuple{&Ports::x, &Ports::y, &Ports::z}; }
  };
};

}  // namespace isocenter::inline v1
