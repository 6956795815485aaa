#pragma once
#include <isocenter/operator.hpp>
#include <isocenter/recon/grid_parameters.hpp>

namespace isocenter::inline v1 {

/// Least squares by conjugate gradients: the x that makes ‖A x - b‖ smallest.
///
/// | port   | payload                | shape                         | unit       |
/// |--------|------------------------|-------------------------------|------------|
/// | input  | Projections            | views × rows × columns        | 1          |
/// | start  | Volume, optional       | zyx                           | as output  |
/// | mask   | Volume or Segmentation | zyx                           | any        |
/// | output | Volume                 | zyx                           | HU or 1/mm |
///
/// CGLS: Hestenes and Stiefel, J. Res. Nat. Bur. Stand. 49 (1952) 409, section 10, in the form of Bjorck, "Numerical
/// Methods for Least Squares Problems" (1996), algorithm 7.4.1. It converges fast, and noise comes with it: the number
/// of iterations is the regularisation. There is no positivity, which would end the conjugacy: tv_reconstruction with
/// weight 0 has it.
///
/// Any trajectory, cone or parallel beam, flat or curved detector; projectors: forward_projection and its exact
/// adjoint. Optional inputs on the same grid: "start" (a warm start, in the output's unit) and "mask" (voxels that are
/// 0 in it stay 0). Metrics: "relative_residual", one for each iteration, and "iterations". Ends after
/// `iterations` or at stop_at_change. A cancelled session: it leaves its step and gives the last iterate, which can
/// be pulled after wait() has reported the cancellation. Same bits for every number of threads. Memory: 3 volumes and 3
/// stacks of projections, and 1 volume for a mask; less in slabs where a budget does not hold that, and out_of_memory
/// with the least that would do when even a slab does not fit (docs/recon/scale.md). Errors: bad_data for a value that
/// is no finite number (named by view, row and column) and for what is wrong with the acquisition; invalid_argument for
/// optional inputs on another grid or in another unit, and for more subsets than views.
struct CglsReconstruction {
  static constexpr const char* name = "cgls_reconstruction";
  static constexpr const char* module = "recon";
  static constexpr const char* summary = "Least squares by conjugate gradients for any trajectory.";
  static constexpr const char* help = "CGLS; the number of iterations is the regularisation. CPU and CUDA.";
  struct Params {
    std::int64_t nx = 0, ny = 0, nz = 0;
    std::vector<double> spacing_mm = {0};
    std::vector<double> offset_mm = {0, 0, 0};
    AttenuationUnit unit = AttenuationUnit::hu;
    double mu_water_per_mm = 0;
    std::int64_t iterations = 20;
    double stop_at_change = 0;
    static constexpr auto describe() {
      return std::tuple_cat(grid_parameters<Params>(), unit_parameters<Params>(), iteration_parameters<Params>());
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
