#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// From a first image with metal artefacts: where the metal is, and a prior image without metal and streaks.
///
/// | port   | payload | shape    | unit                                                  |
/// |--------|---------|----------|-------------------------------------------------------|
/// | input  | Volume  | zyx      | HU                                                    |
/// | metal  | Volume  | as input | 1/mm: 1 in metal, so that its projection is mm of it  |
/// | prior  | Volume  | as input | HU                                                    |
///
/// Thresholds as in Meyer et al., Med. Phys. 37 (2010) 5482, section II.B: air, soft tissue and bone, of which only
/// bone keeps its values. metal_artefact_reduction takes the projections of both. Errors: bad_data when the input is
/// not in HU; invalid_argument when the thresholds do not rise.
struct MetalPrior {
  static constexpr const char* name = "metal_prior";
  static constexpr const char* module = "recon";
  static constexpr const char* summary = "Metal mask and prior image from a first reconstruction.";
  static constexpr const char* help = "Thresholds of a first image, for metal artefact reduction.";
  struct Params {
    double air_below_hu = -500;
    double bone_from_hu = 350;
    double metal_from_hu = 2500;
    double soft_tissue_hu = 0;
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::air_below_hu, "air_below_hu", Unit::hu, -2000, 30000, "Below it the prior is air (-1000 HU)."),
          param(&Params::bone_from_hu, "bone_from_hu", Unit::hu, -2000, 30000, "From it on the prior keeps its value."),
          param(&Params::metal_from_hu, "metal_from_hu", Unit::hu, -2000, 30000, "From it on a voxel is metal."),
          param(&Params::soft_tissue_hu, "soft_tissue_hu", Unit::hu, -500, 500, "Between air and bone, and in metal."),
      };
    }
  };
  struct Ports {
    In<Volume> input{"input", "A first reconstruction."};
    Out<Volume> metal{"metal", "1 in metal, 0 elsewhere."};
    Out<Volume> prior{"prior", "The image in classes, without metal."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::metal, &Ports::prior}; }
  };
};

}  // namespace isocenter::inline v1
