#pragma once
#include <isocenter/operator.hpp>
#include <isocenter/recon/grid_parameters.hpp>
#include <isocenter/recon/ramp_parameters.hpp>

namespace isocenter::inline v1 {

/// Cone-beam reconstruction of one moment of a moving patient from all views, with a given displacement field.
///
/// | port                          | payload     | shape                                  | unit       |
/// |-------------------------------|-------------|----------------------------------------|------------|
/// | input                         | Projections | views × rows × columns, line integrals | 1          |
/// | motion_x, motion_y, motion_z  | Volume      | tzyx, frames over one cycle            | mm         |
/// | output                        | Volume      | zyx                                    | HU or 1/mm |
///
/// The field says where the tissue that the output shows at x lies at phase j / frames: at x + d_j(x), d in mm along
/// the patient's axes. It has a grid of its own (the same for its three components, along the patient's axes; coarse is
/// enough), linear between nodes and between frames, the last frame going on with the first; beyond the grid the
/// nearest node counts. It is what registering each phase (moving) to the wanted one (fixed) gives.
///
/// Method: FDK (fdk_reconstruction: cosine weights, ramp filter, Parker's and Wang's weights, truncation, any flat
/// detector) with every voxel back-projected from where it was in each view: Rit et al., Med. Phys. 36 (2009) 2283.
/// Views need a phase (phase_sort). A field of zeros gives FDK.
///
/// Cost: 24 reads of the field and four of a view for each voxel and view. Memory: beside FDK's, three times the
/// field's nodes for each view of a pass. Projections that a device does not hold stay in host memory. A volume that
/// does not fit comes in slabs along z where fdk_reconstruction's does, each from all rows of all projections and from
/// the field's nodes around the slab: a device holds those, and the field stays in host memory. Errors: those of
/// fdk_reconstruction; bad_data for a field without a time axis, in another unit than mm, oblique, or whose components
/// differ in grid, for views without a phase, and for a displacement that is not finite or larger than half of the
/// source's distance.
struct MotionCompensatedReconstruction {
  static constexpr const char* name = "motion_compensated_reconstruction";
  static constexpr const char* module = "recon";
  static constexpr const char* summary = "Feldkamp cone-beam reconstruction along a given motion.";
  static constexpr const char* help =
      "Rit et al. 2009: back projection from where the tissue was in each view, after a displacement field over the "
      "motion's phases. CPU and CUDA.";
  struct Params {
    std::int64_t nx = 0, ny = 0, nz = 0;
    std::vector<double> spacing_mm = {0};
    std::vector<double> offset_mm = {0, 0, 0};
    FdkWindow window = FdkWindow::ramp;
    double cutoff = 1;
    AttenuationUnit unit = AttenuationUnit::hu;
    double mu_water_per_mm = 0;
    double largest_gap_deg = 60;
    Truncation truncation = Truncation::none;
    double extension_mm = 0;
    std::int64_t slabs = 0;
    static constexpr auto describe() {
      return std::tuple_cat(grid_parameters<Params>(), ramp_parameters<Params>(), unit_parameters<Params>(),
                            std::tuple{
                                param(&Params::largest_gap_deg, "largest_gap_deg", Unit::deg, 0.01, 360,
                                      "The widest angle without a view that is accepted."),
                            },
                            truncation_parameters<Params>(), slab_parameters<Params>());
    }
  };
  struct Ports {
    In<Projections> input{"input", "Line integrals with their geometry and the views' phases."};
    In<Volume> motion_x{"motion_x", "Displacement along x (to the patient's left) for each phase."};
    In<Volume> motion_y{"motion_y", "Displacement along y (to the back)."};
    In<Volume> motion_z{"motion_z", "Displacement along z (to the head)."};
    Out<Volume> output{"output", "The reconstruction."};
    static constexpr auto describe() {
      return std::tuple{&Ports::input, &Ports::motion_x, &Ports::motion_y, &Ports::motion_z, &Ports::output};
    }
  };
};

}  // namespace isocenter::inline v1
