#pragma once
// What reconstructions that work for every trajectory have in common: where their voxels lie, and what they hold.
#include <isocenter/describe.hpp>

namespace isocenter::inline v1 {

enum class AttenuationUnit { hu, per_mm };
inline constexpr const char* attenuation_units[] = {"HU", "1/mm"};

/// joseph: the exact adjoint of forward_projection. voxel_driven: every voxel reads each view where its ray meets the
/// detector, bilinearly, with the adjoint's weights; faster with a cone beam, and no transpose. Flat detectors.
enum class BackProjector { joseph, voxel_driven };
inline constexpr const char* back_projectors[] = {"joseph", "voxel_driven"};

/// The parameter of struct P that chooses the back projector; P has a member of this name.
template <class P>
constexpr auto back_projector_parameter() {
  return std::tuple{choice(&P::back_projector, "back_projector", back_projectors,
                           "joseph: the adjoint of the forward projection; voxel_driven: an unmatched, faster one.")};
}

/// The parameters of struct P that place the grid; P has members of these names. The grid's axes are the patient's. Its
/// centre is offset_mm from the isocentre: the point nearest to all rays to the detector's centre.
template <class P>
constexpr auto grid_parameters() {
  return std::tuple{
      param(&P::nx, "nx", Unit::px, 0, 8192, "Voxels along x; 0: as many as detector columns."),
      param(&P::ny, "ny", Unit::px, 0, 8192, "Voxels along y; 0: as many as detector columns."),
      param(&P::nz, "nz", Unit::px, 0, 8192, "Voxels along z; 0: as many as detector rows."),
      param(&P::spacing_mm, "spacing_mm", Unit::mm, 0, 1000,
            "Voxel size: one number, or x, y, z; 0: a detector column as seen at the isocentre."),
      param(&P::offset_mm, "offset_mm", Unit::mm, -1e5, 1e5, "The grid's centre, from the isocentre: x, y, z."),
  };
}

/// The parameter of struct P that cuts the volume along z (isocenter/slabs.hpp); P has a member of this name.
template <class P>
constexpr auto slab_parameters() {
  return std::tuple{
      param(&P::slabs, "slabs", Unit::none, 0, 65536,
            "Into how many slabs along z the volume is cut, one after the other; 0: as many as the memory budget asks "
            "for."),
  };
}

/// The parameters of struct P that choose the unit of attenuation.
template <class P>
constexpr auto unit_parameters() {
  return std::tuple{
      choice(&P::unit, "unit", attenuation_units, "HU, or linear attenuation in 1/mm."),
      param(&P::mu_water_per_mm, "mu_water_per_mm", Unit::per_mm, 0, 10,
            "Attenuation of water, for HU; 0: the input's attribute \"mu_water_per_mm\"."),
  };
}

/// The parameters of struct P that end the iterations.
template <class P>
constexpr auto iteration_parameters() {
  return std::tuple{
      param(&P::iterations, "iterations", Unit::none, 1, 100000, "How many, at most."),
      param(&P::stop_at_change, "stop_at_change", Unit::none, 0, 1,
            "Ends when an iteration changes the residual by less than this part of it; 0: never."),
  };
}

}  // namespace isocenter::inline v1
