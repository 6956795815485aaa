#pragma once
#include <isocenter/operator.hpp>
#include <isocenter/recon/grid_parameters.hpp>
#include <isocenter/recon/ramp_parameters.hpp>

namespace isocenter::inline v1 {

/// Multi-slice and cone-beam helical CT: weighted filtered back projection, for any pitch that the detector covers.
///
/// | port   | payload     | shape                                  | unit       |
/// |--------|-------------|----------------------------------------|------------|
/// | input  | Projections | views × rows × columns, line integrals | 1          |
/// | output | Volume      | zyx                                    | HU or 1/mm |
///
/// Method: Stierstorfer et al., Phys. Med. Biol. 49 (2004) 2209. Rows are rebinned to parallel rays (cubic convolution
/// between views and columns), weighted with the cosine of the cone angle and ramp-filtered along the rows; a voxel
/// takes, for each direction of a half turn, the weighted mean of all rays half a turn apart that meet it. A ray counts
/// fully in the inner part `full_part` of the detector's height and goes smoothly to nothing at its edge, so that all
/// of the dose is used at every pitch.
///
/// The helix (axis along z, either sense of rotation and of the table) and the detector (flat, or curved around the
/// focal spot; a quarter of a column off the centre or not) are found from the views. The grid's centre is the axis at
/// the middle of the source's way, plus offset_mm; nz = 0 takes all slices that are covered. Facts: helical.pitch,
/// helical.largest_pitch, helical.covered_z_mm, helical.field_of_view_mm.
///
/// Streaming: with "acquisition.view_blocks" = n (set_view_blocks) a scan comes as n items, each with the views of the
/// whole scan; views are filtered as they come, a slice is summed over a direction when the last of its half turns is
/// there, and the volume goes on with the last block. What is kept is the filtered views of the half turns that a slice
/// meets (fact helical.kept), however long the scan. A block that is bad or lost spoils its scan alone.
///
/// Cost: 16 reads for each parallel reading, four for each voxel, direction and ray (one to three rays). Memory: the
/// parallel views of a few directions, no copy of the projections; fewer where the budget is small. A volume that does
/// not fit comes in slabs along z (isocenter/slabs.hpp), each from the half turns near it, on the CPU where what takes
/// the volume takes slabs. On a device that does not hold them, projections stay in host memory, and passes bring the
/// views that they need, each view about once. Processes of a communicator (mpirun) reconstruct a slab each. Facts:
/// helical.slabs, helical.projections. Errors: bad_data for views that are none, no helix, or less than half a turn,
/// and for a reading that is not finite (named by view, row and column) in a view that the slices meet; unsupported for
/// a parallel beam, an axis not along z, uneven views or feed, a detector that changes, is tilted or stands far off the
/// centre; invalid_argument for a pitch that leaves gaps (with the largest one that does not) and for slices outside
/// the covered range (which is named).
struct HelicalReconstruction {
  static constexpr const char* name = "helical_reconstruction";
  static constexpr const char* module = "recon";
  static constexpr const char* summary = "Weighted filtered back projection of a helical scan.";
  static constexpr const char* help =
      "Stierstorfer et al. 2004, for flat and curved detectors and any pitch that the detector covers. CPU and CUDA.";
  struct Params {
    std::int64_t nx = 0, ny = 0, nz = 0;
    std::vector<double> spacing_mm = {0};
    std::vector<double> offset_mm = {0, 0, 0};
    FdkWindow window = FdkWindow::ramp;
    double cutoff = 1;
    AttenuationUnit unit = AttenuationUnit::hu;
    double mu_water_per_mm = 0;
    double full_part = 0.7;
    std::int64_t slabs = 0;
    static constexpr auto describe() {
      return std::tuple_cat(
          std::tuple{
              param(&Params::nx, "nx", Unit::px, 0, 8192, "Voxels along x; 0: as many as detector columns."),
              param(&Params::ny, "ny", Unit::px, 0, 8192, "Voxels along y; 0: as many as detector columns."),
              param(&Params::nz, "nz", Unit::px, 0, 8192, "Slices; 0: all that the helix covers."),
              param(&Params::spacing_mm, "spacing_mm", Unit::mm, 0, 1000,
                    "Voxel size: one number, or x, y, z; 0: a detector column as seen at the axis."),
              param(&Params::offset_mm, "offset_mm", Unit::mm, -1e5, 1e5,
                    "The grid's centre, from the axis at the middle of the source's way: x, y, z."),
          },
          ramp_parameters<Params>(), unit_parameters<Params>(),
          std::tuple{
              param(&Params::full_part, "full_part", Unit::none, 0, 0.99,
                    "The inner part of the detector's height in which a ray counts fully."),
          },
          slab_parameters<Params>());
    }
  };
  struct Ports {
    In<Projections> input{"input", "Line integrals with the geometry of a helix."};
    Out<Volume> output{"output", "The reconstruction."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
