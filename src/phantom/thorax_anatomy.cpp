#include "phantom/thorax_anatomy.hpp"

#include <cmath>

#include "phantom/poisson.hpp"

namespace isocenter::detail {

double cavity_level(const Vector3& p_mm) {
  double sum = 0.0;
  for (std::size_t k = 0; k < 3; ++k) {
    const double u = (p_mm[k] - cavity_centre_mm[k]) / cavity_half_mm[k];
    sum += u * u;
  }
  return std::sqrt(sum);
}

namespace {

/// A place in one of the lungs, above the domes and clear of the wall, the mediastinum and the spine.
Vector3 place_in_lung(Philox& random) {
  for (;;) {
    const double side = random.uniform() < 0.5 ? -1.0 : 1.0;
    const Vector3 p = {side * random.uniform(50, 125), random.uniform(-60, 75), random.uniform(-50, 105)};
    const bool near_heart = side > 0 && p[1] < 20 && p[2] < 10 && p[0] < 100;
    if (cavity_level(p) < 0.82 && !near_heart) return p;
  }
}

}  // namespace

Anatomy Anatomy::of(const ThoraxParams& params) {
  Anatomy a;
  a.lesion_radius_mm = params.lesion_radius_mm;
  if (params.seed == 0) return a;

  Philox random(params.seed, 0);
  a.fat = from_hu(random.uniform(-120, -80));
  a.muscle = from_hu(random.uniform(35, 65));
  a.soft = from_hu(random.uniform(20, 50));
  a.lung = from_hu(random.uniform(-890, -740));
  a.blood = from_hu(random.uniform() < 0.5 ? random.uniform(30, 55) : random.uniform(100, 320));
  a.myocardium = from_hu(random.uniform(40, 100));
  a.liver = from_hu(random.uniform(40, 115));
  a.spleen = from_hu(random.uniform(40, 110));
  a.bone = from_hu(random.uniform(420, 800));
  a.marrow = from_hu(random.uniform(120, 300));
  a.cartilage = from_hu(random.uniform(80, 170));
  a.lesion = from_hu(random.uniform(-60, 90));
  a.fat_mm = random.uniform(6, 26);
  a.heart_scale = random.uniform(0.88, 1.15);
  for (double& x : a.heart_mm) x += random.uniform(-6, 6);
  a.right_dome_mm += random.uniform(-18, 16);
  a.left_dome_mm += random.uniform(-18, 12);
  a.kyphosis_mm = random.uniform(12, 34);
  a.rib_tilt_rad = random.uniform(0.3, 0.52);
  a.lesion_mm = place_in_lung(random);
  a.lesion_radius_mm *= random.uniform(0.5, 1.5);
  a.vessel_seed = params.seed;

  const double stretch[3] = {random.uniform(0.86, 1.0), random.uniform(0.86, 1.06), random.uniform(0.9, 1.1)};
  const Matrix3 turn = turn_around(2, random.uniform(-0.08, 0.08)) * turn_around(0, random.uniform(-0.05, 0.05)) *
                       turn_around(1, random.uniform(-0.05, 0.05));
  a.body = turn * Matrix3{stretch[0], 0, 0, 0, stretch[1], 0, 0, 0, stretch[2]};
  return a;
}

}  // namespace isocenter::detail
