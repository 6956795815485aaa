#pragma once
// The numbers that tell one chest from another: the standard chest, or one drawn from a seed.
#include "phantom/phantom.hpp"

namespace isocenter::detail {

/// Values relative to water: 1 + HU / 1000.
constexpr double from_hu(double hu) { return 1.0 + hu / 1000.0; }

struct Anatomy {
  // Densities.
  double fat = from_hu(-100), muscle = from_hu(50), soft = from_hu(40), lung = from_hu(-820), blood = from_hu(180),
         myocardium = from_hu(70), liver = from_hu(75), spleen = from_hu(60), cartilage = from_hu(110),
         bone = from_hu(620), marrow = from_hu(230), disc = from_hu(90), lesion = from_hu(45), air = from_hu(-1000);
  // Sizes and places, mm.
  double fat_mm = 12.0;
  double heart_scale = 1.0;
  Vector3 heart_mm = {22, -26, -42};
  double right_dome_mm = -77.0, left_dome_mm = -88.0;  ///< z of the diaphragm's tops at the end of exhalation
  double kyphosis_mm = 22.0;                           ///< how far the spine's middle lies behind its ends
  double rib_tilt_rad = 0.42;
  Vector3 lesion_mm = {-78, 22, -30};
  double lesion_radius_mm = 12.0;
  std::uint64_t vessel_seed = 1;
  Matrix3 body = no_turn;  ///< stretches and turns everything

  static Anatomy of(const ThoraxParams& params);
};

/// The chest's inner wall, an ellipsoid; everything inside the ribs is placed with regard to it.
constexpr Vector3 cavity_centre_mm = {0, 2, -70};
constexpr Vector3 cavity_half_mm = {138, 93, 225};

/// How far up the inner wall a point is: 1 on it, below 1 inside.
double cavity_level(const Vector3& p_mm);

}  // namespace isocenter::detail
