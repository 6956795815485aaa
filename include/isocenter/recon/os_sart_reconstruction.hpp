#pragma once
#include <isocenter/operator.hpp>
#include <isocenter/recon/grid_parameters.hpp>

namespace isocenter::inline v1 {

/// Algebraic reconstruction with ordered subsets: SIRT (subsets = 1), SART (as many subsets as views), OS-SART
/// (between).
///
/// | port   | payload                | shape                         | unit       |
/// |--------|------------------------|-------------------------------|------------|
/// | input  | Projections            | views × rows × columns        | 1          |
/// | start  | Volume, optional       | zyx                           | as output  |
/// | mask   | Volume or Segmentation | zyx                           | any        |
/// | output | Volume                 | zyx                           | HU or 1/mm |
///
/// One step takes the views of one subset s: x += relaxation · C A_s' R (b_s - A_s x), with R = 1 / (A_s 1) and
/// C = 1 / (A_s' 1): Andersen and Kak, Ultrasonic Imaging 6 (1984) 81 (SART); Gregor and Benson, IEEE Trans. Med.
/// Imaging 27 (2008) 918 (SIRT). Subset s holds the views s, s + subsets, s + 2 subsets, ...; subsets are visited in
/// the order of their numbers with the bits reversed, so that views that follow one another lie far apart. An iteration
/// visits all.
///
/// Any trajectory, cone or parallel beam, flat or curved detector; projectors: forward_projection and its exact
/// adjoint, or (back_projector = voxel_driven, flat detectors) an unmatched back projection: then each step is that
/// of the formula with this back projection in place of A_s', and convergence is no theorem any more. Optional
/// inputs on the same grid: "start" (a warm start, in the output's unit) and "mask" (voxels that are 0 in it stay
/// 0). Metrics: "relative_residual", one for each iteration, and "iterations". Ends after `iterations`
/// or at stop_at_change. A cancelled session: it leaves its step (not where some slabs
/// have taken it) and gives the last iterate, that of the last subset, which can be pulled after wait() has reported
/// the cancellation; the metrics speak of complete iterations. Same bits for every number of threads. Memory: 3 volumes
/// and 3 stacks of projections (2 and a subset when there are several), 1 volume for a mask, and 1 volume and 48 views
/// for voxel_driven; less in slabs where a budget does not hold that, and out_of_memory with the least that would do
/// when even a slab does not fit (docs/recon/scale.md). With more than one subset C is computed in each step, by a
/// second back projection. Errors: bad_data for a value that is no finite number (named by view, row and column) and
/// for what is wrong with the acquisition; invalid_argument for optional inputs on another grid or in another unit, and
/// for more subsets than views; unsupported for voxel_driven with a curved detector.
struct OsSartReconstruction {
  static constexpr const char* name = "os_sart_reconstruction";
  static constexpr const char* module = "recon";
  static constexpr const char* summary = "SIRT, SART and OS-SART for any trajectory.";
  static constexpr const char* help = "Algebraic reconstruction with ordered subsets; CPU and CUDA.";
  struct Params {
    std::int64_t nx = 0, ny = 0, nz = 0;
    std::vector<double> spacing_mm = {0};
    std::vector<double> offset_mm = {0, 0, 0};
    AttenuationUnit unit = AttenuationUnit::hu;
    double mu_water_per_mm = 0;
    std::int64_t subsets = 1;
    std::int64_t iterations = 20;
    double relaxation = 1;
    bool positivity = true;
    double stop_at_change = 0;
    BackProjector back_projector = BackProjector::joseph;
    static constexpr auto describe() {
      return std::tuple_cat(grid_parameters<Params>(), unit_parameters<Params>(), iteration_parameters<Params>(),
                            back_projector_parameter<Params>(),
                            std::tuple{
                                param(&Params::subsets, "subsets", Unit::none, 1, 100000,
                                      "1: SIRT; as many as views: SART; between: OS-SART."),
                                param(&Params::relaxation, "relaxation", Unit::none, 0.001, 1.99,
                                      "The part of a step that is taken; below 1 with noise and many subsets."),
                                param(&Params::positivity, "positivity", "Attenuation is never below zero."),
                            });
    }
  };
  struct Ports {
    In<Projections> input{"input", "Line integrals with their acquisition geometry."};
    In<Volume> start{"start", "Where the iterations begin; without it at zero.", optional_port};
    In<AnyOf<Volume, Segmentation>> mask{"mask", "Voxels that are 0 in it stay 0.", optional_port};
    Out<Volume> output{"output", "The last iterate."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::start, &Ports::mask, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
