#pragma once
#include <isocenter/operator.hpp>
#include <isocenter/recon/grid_parameters.hpp>
#include <isocenter/recon/ramp_parameters.hpp>

namespace isocenter::inline v1 {

/// Slices from parallel or fan beams, each in its own plane.
///
/// | port   | payload     | shape                                    | unit       |
/// |--------|-------------|------------------------------------------|------------|
/// | input  | Projections | views × rows × columns, line integrals   | 1          |
/// | output | Volume      | zyx: rows × ny × nx, a slice for each row | HU or 1/mm |
///
/// Scans: parallel beams over 180 degrees or more, with any number of rows; a fan beam of one row, on a flat or curved
/// detector, over a full circle or a short scan of 180 degrees and the fan; stacked_fans for rows that were taken, or
/// rebinned, as fans in planes of their own (the focal spot beside each row; the slices then lie at the rows' heights).
/// The detector's centre and the rotation centre may lie anywhere: both are found from the views. A detector that is
/// displaced by more than a twentieth of its width in a full circle counts by Wang's weights (Med. Phys. 29 (2002)
/// 1634) and shows almost twice the field. Method: Kak and Slaney, "Principles of Computerized Tomographic Imaging"
/// (1988), sections 3.3.3 (parallel, band-limited ramp, equation 61), 3.4.1 (equiangular fan) and 3.4.2 (equally spaced
/// fan); Parker, Med. Phys. 9 (1982) 254, for short scans. A view counts with half the angle between its neighbours:
/// modulo 180 degrees with parallel beams, so that any arc and uneven angles are right. Grid: z along the rotation
/// axis, x as near to the patient's x as it can be; centred offset_mm from the rotation centre. Border: samples off the
/// detector are zero; an object that reaches over its sides is truncated, and bright there, unless `truncation` goes on
/// with its rows, as in fdk_reconstruction. Cost: two samples for each pixel and view; filtered rows of sixteen slices
/// in memory, of fewer within a budget; a device that does not hold projections and slices gets them pass by pass from
/// host memory. Where host memory does not hold the slices and what takes them takes slabs (isocenter/slabs.hpp), they
/// are given some at a time. Processes of a communicator (mpirun) reconstruct a slab each. Errors: bad_data for fewer
/// than three views, angles left out, readings that are not finite, a detector that misses the centre; unsupported for
/// a cone beam with rows, rows out of the plane of rotation, a source off its circle; invalid_argument for slices that
/// reach the source, and for rows of a curved detector that would go on over more than 162 degrees.
struct FbpReconstruction {
  static constexpr const char* name = "fbp_reconstruction";
  static constexpr const char* module = "recon";
  static constexpr const char* summary = "Filtered back projection of parallel and fan beams, slice by slice.";
  static constexpr const char* help =
      "Kak and Slaney 1988, chapter 3, for half and full circles, short scans, flat and curved detectors. CPU "
      "(AVX-512, AVX2 or portable) and CUDA.";
  struct Params {
    std::int64_t nx = 0, ny = 0;
    std::vector<double> spacing_mm = {0};
    std::vector<double> offset_mm = {0, 0};
    FdkWindow window = FdkWindow::ramp;
    double cutoff = 1;
    Truncation truncation = Truncation::none;
    double extension_mm = 0;
    AttenuationUnit unit = AttenuationUnit::hu;
    double mu_water_per_mm = 0;
    double largest_gap_deg = 10;
    bool stacked_fans = false;
    std::int64_t slabs = 0;
    static constexpr auto describe() {
      return std::tuple_cat(
          std::tuple{
              param(&Params::nx, "nx", Unit::px, 0, 16384, "Pixels along x; 0: as many as detector columns."),
              param(&Params::ny, "ny", Unit::px, 0, 16384, "Pixels along y; 0: as many as detector columns."),
              param(&Params::spacing_mm, "spacing_mm", Unit::mm, 0, 1000,
                    "Pixel size: one number, or x, y; 0: a detector column as seen at the rotation centre."),
              param(&Params::offset_mm, "offset_mm", Unit::mm, -1e5, 1e5,
                    "The grid's centre, from the rotation centre: x, y."),
          },
          ramp_parameters<Params>(), truncation_parameters<Params>(), unit_parameters<Params>(),
          std::tuple{
              param(&Params::largest_gap_deg, "largest_gap_deg", Unit::deg, 0.01, 180,
                    "The widest angle without a view that is accepted, beside what a short scan leaves out."),
              param(&Params::stacked_fans, "stacked_fans",
                    "Each detector row of a fan beam is a fan in its own plane."),
          },
          slab_parameters<Params>());
    }
  };
  struct Ports {
    In<Projections> input{"input", "Line integrals with their acquisition geometry."};
    Out<Volume> output{"output", "The slices."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
