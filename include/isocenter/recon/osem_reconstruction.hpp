#pragma once
#include <isocenter/operator.hpp>
#include <isocenter/recon/grid_parameters.hpp>

namespace isocenter::inline v1 {

enum class EmData { emission, transmission };

/// Expectation maximisation with ordered subsets: OSEM for emission data, its counterpart OSTR for transmission.
///
/// | port   | payload                | shape                         | unit       |
/// |--------|------------------------|-------------------------------|------------|
/// | input  | Projections            | views × rows × columns        | 1, counts  |
/// | start  | Volume, optional       | zyx                           | as output  |
/// | mask   | Volume or Segmentation | zyx                           | any        |
/// | output | Volume                 | zyx                           | see below  |
///
/// data = emission: the input holds counts with mean A x (attenuation and scatter corrected or absent), and
/// x *= A_s'(b_s / A_s x) / A_s' 1: Hudson and Larkin, IEEE Trans. Med. Imaging 13 (1994) 601; with one subset MLEM,
/// Shepp and Vardi, IEEE Trans. Med. Imaging 1 (1982) 113. Begins at 1 without a start. The output is in counts/mm.
/// data = transmission: the input holds line integrals b = -ln(counts / I0), I0 the same for all, weighted with their
/// counts: x = [x + A_s'(e^(-A_s x) - e^(-b_s)) / A_s'(A_s 1 · e^(-b_s))] not below 0: Erdogan and Fessler, Phys. Med.
/// Biol. 44 (1999) 2835, OSTR with precomputed curvatures. Begins at 0. The output is in HU or 1/mm. Subsets and their
/// order: as in os_sart_reconstruction. The residual is ‖A x - b‖ / ‖b‖.
///
/// Any trajectory, cone or parallel beam, flat or curved detector; projectors: forward_projection and its exact
/// adjoint, or (back_projector = voxel_driven, flat detectors) an unmatched back projection: then each step is that
/// of the formula with this back projection in place of A_s', and convergence is no theorem any more. Optional
/// inputs on the same grid: "start" (a warm start, in the output's unit) and "mask" (voxels that are 0 in it stay
/// 0). Metrics: "relative_residual", one for each iteration, and "iterations". Ends after `iterations`
/// or at stop_at_change. A cancelled session: it leaves its step (not where some slabs
/// have taken it) and gives the last iterate, that of the last subset, which can be pulled after wait() has reported
/// the cancellation; the metrics speak of complete iterations. Same bits for every number of threads. Memory: 3
/// volumes, 1 stack of projections (2 for transmission) and 2 of the largest subset, 1 volume for a mask, and 1 volume
/// and 48 views for voxel_driven; less in slabs where a budget does not hold that, and out_of_memory with the least
/// that would do when even a slab does not fit (docs/recon/scale.md). Errors: bad_data for a value that is no finite
/// number (named by view, row and column) and for what is wrong with the acquisition; invalid_argument for optional
/// inputs on another grid or in another unit, and for more subsets than views; unsupported for voxel_driven with a
/// curved detector.
struct OsemReconstruction {
  static constexpr const char* name = "osem_reconstruction";
  static constexpr const char* module = "recon";
  static constexpr const char* summary = "OSEM and MLEM for emission data, OSTR for transmission data.";
  static constexpr const char* help = "Expectation maximisation with ordered subsets; CPU and CUDA.";
  struct Params {
    std::int64_t nx = 0, ny = 0, nz = 0;
    std::vector<double> spacing_mm = {0};
    std::vector<double> offset_mm = {0, 0, 0};
    EmData data = EmData::transmission;
    AttenuationUnit unit = AttenuationUnit::hu;
    double mu_water_per_mm = 0;
    std::int64_t subsets = 1;
    std::int64_t iterations = 20;
    double stop_at_change = 0;
    BackProjector back_projector = BackProjector::joseph;
    static constexpr const char* data_kinds[] = {"emission", "transmission"};
    static constexpr auto describe() {
      return std::tuple_cat(grid_parameters<Params>(), unit_parameters<Params>(), iteration_parameters<Params>(),
                            back_projector_parameter<Params>(),
                            std::tuple{
                                choice(&Params::data, "data", data_kinds, "Counts, or line integrals of attenuation."),
                                param(&Params::subsets, "subsets", Unit::none, 1, 100000,
                                      "1: MLEM; more: an iteration takes as many steps."),
                            });
    }
  };
  struct Ports {
    In<Projections> input{"input", "Line integrals, or counts (data = emission)."};
    In<Volume> start{"start", "Where the iterations begin; without it at zero.", optional_port};
    In<AnyOf<Volume, Segmentation>> mask{"mask", "Voxels that are 0 in it stay 0.", optional_port};
    Out<Volume> output{"output", "The last iterate."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::start, &Ports::mask, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
