#pragma once
#include <isocenter/operator.hpp>
#include <isocenter/recon/grid_parameters.hpp>
#include <isocenter/recon/ramp_parameters.hpp>

namespace isocenter::inline v1 {

/// Cone-beam reconstruction from a full circle or a short scan with a flat detector that may be displaced, tilted or
/// truncated; one volume for each motion phase.
///
/// | port   | payload     | shape                                            | unit       |
/// |--------|-------------|--------------------------------------------------|------------|
/// | input  | Projections | views × rows × columns, line integrals           | 1          |
/// | output | Volume      | zyx, or tzyx with a frame for each motion phase  | HU or 1/mm |
///
/// Method: Feldkamp, Davis and Kress, J. Opt. Soc. Am. A 1 (1984) 612: cosine weights, ramp filter along the rows
/// (band-limited in space, zero-padded: Kak and Slaney 1988, chapter 3, equation 61) with a window, back projection
/// weighted with the square of (source to axis) / (source to voxel). A view counts with half the angle between its
/// neighbours (of its own phase), so that uneven angles are right. Samples off the detector are zero. Phases: after
/// phase_sort ("acquisition.phases" = n) view k belongs to frame round(n · phase) mod n.
///
/// Found from the views: a short scan (one gap more than three times wider than any other; at least 180 degrees and the
/// fan) gets Parker's weights, over the whole of its arc; a detector whose sides differ by more than a twentieth of its
/// width, on a full circle, gets Wang's and a field of view of its longer side. Detectors whose rows do not run along
/// the source's way, or whose columns not along a volume axis, are resampled once a view, with cubic convolution, onto
/// one that does; the orbit's axis may have any direction.
///
/// Streaming: with "acquisition.view_blocks" = n (set_view_blocks) a scan comes as n items, each with the views of the
/// whole scan as attribute; views are filtered and back-projected as they come, and the volume goes on with the last
/// block. Memory: passes over the volume take fewer views where the budget is small. A volume that does not fit even so
/// comes in slabs along z (isocenter/slabs.hpp) where that helps: on a GPU, whose slabs are put together in host
/// memory, and on the CPU when what takes the volume takes slabs; the projections are then filtered once for each slab.
/// It is refused otherwise, with the size that would fit. Processes of a communicator (mpirun) reconstruct a slab each.
///
/// Border: an object that reaches over the detector's sides is truncated, and bright there, unless `truncation` goes on
/// with the rows. Cost: rows · views transforms, and one linear interpolation for each voxel and view out of a detector
/// column. Errors: bad_data for fewer than three views, a missing or wrong "acquisition.views", an angular gap, too
/// short an arc, views without a phase, a reading that is not finite (named by view, row and column), a
/// missing block; unsupported for a parallel beam, a curved detector, sources off a circle, phases of a scan in blocks;
/// invalid_argument for a volume that reaches the source; out_of_memory.
struct FdkReconstruction {
  static constexpr const char* name = "fdk_reconstruction";
  static constexpr const char* module = "recon";
  static constexpr const char* summary = "Feldkamp cone-beam reconstruction, one volume for each motion phase.";
  static constexpr const char* help =
      "Feldkamp, Davis and Kress 1984, for a full circle or a short scan and a flat detector: displaced, tilted, "
      "truncated. CPU (AVX-512, AVX2 or portable) and CUDA.";
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
      return std::tuple_cat(
          grid_parameters<Params>(), ramp_parameters<Params>(), unit_parameters<Params>(),
          std::tuple{
              param(
                  &Params::largest_gap_deg, "largest_gap_deg", Unit::deg, 0.01, 360,
                  "The widest angle without a view that is accepted (in a phase, if there are phases; in a short scan, "
                  "beside what it leaves out)."),
          },
          truncation_parameters<Params>(), slab_parameters<Params>());
    }
  };
  struct Ports {
    In<Projections> input{"input", "Line integrals with their acquisition geometry."};
    Out<Volume> output{"output", "The reconstruction."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
