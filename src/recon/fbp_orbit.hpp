#pragma once
// The plane in which a parallel or fan beam turns, and each view in it.
#include <vector>

#include "recon/acquisition_check.hpp"
#include "recon/circular_orbit.hpp"

namespace isocenter::detail {

struct FbpOrbit {
  Vector3 centre_mm{};    ///< of rotation, in the first slice's plane
  Vector3 x{}, y{}, z{};  ///< the grid's axes: z along the rotation axis
  double slice_step_mm = 0;
  bool top_down = false;              ///< detector rows go against z
  Orbit circle;                       ///< fan: of the focal spot
  std::vector<Vector3> across;        ///< unit vector in the plane: parallel, at right angles to the rays; fan, along
                                      ///< the columns' steps (curved: at the middle column)
  std::vector<Vector3> depth;         ///< fan: unit vector in the plane at right angles to `across`, to the detector
  std::vector<double> step;           ///< of the columns: mm at right angles to the ray, mm on the detector, or rad
  std::vector<double> centre_column;  ///< where the ray through the centre arrives
};

/// Throws Failure that names the view: rows that leave the plane of rotation, or are not at the same height in all
/// views; a cone beam with more than one row unless they are stacked fans; what find_circular_orbit refuses.
FbpOrbit find_fbp_orbit(const Acquisition& scan, bool stacked_fans);

/// The direction from the focal spot to the centre of a column, in the plane.
Vector3 fan_ray(const Acquisition& scan, const FbpOrbit& orbit, std::size_t view, double column);

}  // namespace isocenter::detail
