#pragma once
#include <vector>

#include "recon/acquisition_check.hpp"
#include "recon/projector.hpp"

namespace isocenter::detail {

/// The point nearest to all rays to the detector's centre (least squares), and where those leave it open nearest to the
/// patient frame's origin.
Vector3 isocentre_of(const Acquisition& scan);

/// The grid that the parameters of grid_parameters ask for. Throws Failure when a list has not one or three numbers.
template <class Params>
VolumeGrid grid_for(const Acquisition& scan, const Params& params);

VolumeGrid place_grid(const Acquisition& scan, const std::int64_t (&n)[3], const std::vector<double>& spacing_mm,
                      const std::vector<double>& offset_mm);

template <class Params>
VolumeGrid grid_for(const Acquisition& scan, const Params& params) {
  return place_grid(scan, {params.nx, params.ny, params.nz}, params.spacing_mm, params.offset_mm);
}

ProjectorRequest projector_request(const Acquisition& scan, const VolumeGrid& grid);

/// Throws Failure when this item's views are not those that the session was planned with.
void require_planned_views(const Payload& projections, const std::vector<double>& planned);

/// Attenuation of water: the parameter, or the attribute of `projections`. Throws Failure when there is neither.
double water_attenuation(double parameter, const Payload& projections);

/// From a volume's unit to 1/mm. HU needs mu_water, every other unit is taken as it is.
inline ValueMap to_attenuation(const std::string& unit, double mu_water) {
  if (unit != "HU") return {};
  return {static_cast<float>(mu_water / 1000.0), static_cast<float>(mu_water)};
}
inline ValueMap from_attenuation(const std::string& unit, double mu_water) {
  if (unit != "HU") return {};
  return {static_cast<float>(1000.0 / mu_water), -1000.0F};
}

}  // namespace isocenter::detail
