#include <numbers>

#include "phantom/phantom.hpp"

namespace isocenter::detail {

namespace {
struct Ellipsoid {
  Vector3 half_axes, centre;
  double angle_deg;  ///< around z
  double original, modified;
  Label label;
};
constexpr Ellipsoid table[] = {
    {{0.69, 0.92, 0.9}, {0, 0, 0}, 0, 2.0, 1.0, label_bone},
    {{0.6624, 0.874, 0.88}, {0, 0, 0}, 0, -0.98, -0.8, label_soft_tissue},
    {{0.41, 0.16, 0.21}, {-0.22, 0, -0.25}, 108, -0.02, -0.2, label_soft_tissue},
    {{0.31, 0.11, 0.22}, {0.22, 0, -0.25}, 72, -0.02, -0.2, label_soft_tissue},
    {{0.21, 0.25, 0.5}, {0, 0.35, -0.25}, 0, 0.02, 0.1, label_lesion},
    {{0.046, 0.046, 0.046}, {0, 0.1, -0.25}, 0, 0.02, 0.1, label_lesion},
    {{0.046, 0.023, 0.02}, {-0.08, -0.65, -0.25}, 0, 0.01, 0.1, label_lesion},
    {{0.046, 0.023, 0.02}, {0.06, -0.65, -0.25}, 90, 0.01, 0.1, label_lesion},
    {{0.056, 0.04, 0.1}, {0.06, -0.105, 0.625}, 90, 0.02, 0.1, label_lesion},
    {{0.056, 0.056, 0.1}, {0, 0.1, 0.625}, 0, -0.02, -0.1, label_lesion},
};
}  // namespace

void shepp_logan(Contrast contrast, double radius_mm, Solids* solids) {
  solids->list.clear();
  solids->composition = Composition::additive;
  for (const Ellipsoid& e : table) {
    Vector3 centre{}, half{};
    for (std::size_t k = 0; k < 3; ++k) {
      centre[k] = e.centre[k] * radius_mm;
      half[k] = e.half_axes[k] * radius_mm;
    }
    solids->list.push_back(make_solid(Solid::ellipsoid, centre, half,
                                      turn_around(2, e.angle_deg * std::numbers::pi / 180.0),
                                      contrast == Contrast::original ? e.original : e.modified, e.label));
  }
}

void water_cylinder(double radius_mm, double half_height_mm, Solids* solids) {
  solids->composition = Composition::additive;
  solids->list.assign(1, make_solid(Solid::cylinder, {0, 0, 0}, {radius_mm, radius_mm, half_height_mm}, no_turn, 1.0,
                                    label_soft_tissue));
}

}  // namespace isocenter::detail
