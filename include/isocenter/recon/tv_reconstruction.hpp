#pragma once
#include <isocenter/operator.hpp>
#include <isocenter/recon/grid_parameters.hpp>

namespace isocenter::inline v1 {

/// Least squares with total variation, for few or noisy views; with a prior image: PICCS.
///
/// | port   | payload                | shape                         | unit       |
/// |--------|------------------------|-------------------------------|------------|
/// | input  | Projections            | views × rows × columns        | 1          |
/// | start  | Volume, optional       | zyx                           | as output  |
/// | mask   | Volume or Segmentation | zyx                           | any        |
/// | prior  | Volume, optional       | zyx                           | as output  |
/// | output | Volume                 | zyx                           | HU or 1/mm |
///
/// Minimises ‖A x - b‖² / (2 L) + weight · [(1 - prior_share) TV(x) + prior_share TV(x - prior)] over x >= 0
/// (positivity) by FISTA: Beck and Teboulle, SIAM J. Imaging Sci. 2 (2009) 183, equations 4.1 to 4.3; the proximal map
/// by `inner` steps of projected gradients on the dual (kernels/recon/total_variation.hpp), which go on from the last
/// iteration's. TV is isotropic. L = max(A'A 1), which bounds the largest eigenvalue of A'A because A has no negative
/// element; so the weight does not depend on the number of views. Edges are held by the high frequencies, whose part of
/// A'A is far below L: weights of about a thousandth of the contrast that is to be kept are right, and ten times as
/// much takes detail away. PICCS: Chen, Tang and Leng, Med. Phys. 35 (2008) 660. The residual is that of the
/// extrapolated image from which a step begins.
///
/// Any trajectory, cone or parallel beam, flat or curved detector; projectors: forward_projection and its exact
/// adjoint. Optional inputs on the same grid: "start" (a warm start, in the output's unit) and "mask" (voxels that are
/// 0 in it stay 0). Metrics: "relative_residual", one for each iteration, and "iterations". Ends after
/// `iterations` or at stop_at_change. A cancelled session: it leaves its step and gives the last iterate, which can
/// be pulled after wait() has reported the cancellation. Same bits for every number of threads. Memory: 6 volumes and 2
/// stacks of projections; 4 volumes more with a prior, 1 for a mask; less in slabs where a budget does not hold that,
/// and out_of_memory with the least that would do when even a slab does not fit (docs/recon/scale.md). Errors: bad_data
/// for a value that is no finite number (named by view, row and column) and for what is wrong with the acquisition;
/// invalid_argument for optional inputs on another grid or in another unit, and for more subsets than views.
struct TvReconstruction {
  static constexpr const char* name = "tv_reconstruction";
  static constexpr const char* module = "recon";
  static constexpr const char* summary = "Total-variation-regularised least squares; with a prior image PICCS.";
  static constexpr const char* help = "FISTA with the proximal map of isotropic total variation; CPU and CUDA.";
  struct Params {
    std::int64_t nx = 0, ny = 0, nz = 0;
    std::vector<double> spacing_mm = {0};
    std::vector<double> offset_mm = {0, 0, 0};
    AttenuationUnit unit = AttenuationUnit::hu;
    double mu_water_per_mm = 0;
    std::int64_t iterations = 50;
    double weight_per_mm = 1e-5;
    double prior_share = 0.5;
    std::int64_t inner = 10;
    bool positivity = true;
    double stop_at_change = 0;
    static constexpr auto describe() {
      return std::tuple_cat(
          grid_parameters<Params>(), unit_parameters<Params>(), iteration_parameters<Params>(),
          std::tuple{
              param(&Params::weight_per_mm, "weight_per_mm", Unit::per_mm, 0, 10,
                    "Of total variation: about a thousandth of the contrast that is kept; 0: none."),
              param(&Params::prior_share, "prior_share", Unit::none, 0, 1,
                    "With a prior: the part of the weight on the difference from it."),
              param(&Params::inner, "inner", Unit::none, 1, 1000, "Steps of the proximal map in each iteration."),
              param(&Params::positivity, "positivity", "Attenuation is never below zero."),
          });
    }
  };
  struct Ports {
    In<Projections> input{"input", "Line integrals with their acquisition geometry."};
    In<Volume> start{"start", "Where the iterations begin; without it at zero.", optional_port};
    In<AnyOf<Volume, Segmentation>> mask{"mask", "Voxels that are 0 in it stay 0.", optional_port};
    In<Volume> prior{"prior", "An image that the result resembles (PICCS).", optional_port};
    Out<Volume> output{"output", "The last iterate."};
    static constexpr auto describe() {
      return std::tuple{&Ports::input, &Ports::start, &Ports::mask, &Ports::prior, &Ports::output};
    }
  };
};

}  // namespace isocenter::inline v1
