#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// Replaces the line integrals that went through metal by what stands beside them.
///
/// | port   | payload     | shape                  | unit                                                          |
/// |--------|-------------|------------------------|---------------------------------------------------------------|
/// | input  | Projections | views × rows × columns | 1                                                             |
/// | metal  | Projections | as input               | mm of metal along each ray (metal_prior, forward_projection)  |
/// | prior  | Projections | as input               | 1, projections of the prior image (optional)                  |
/// | output | Projections | as input               | 1                                                             |
///
/// Without a prior: linear interpolation along the row across the metal's trace (Kalender, Hebel and Ebersberger,
/// Radiology 164 (1987) 576). With it: normalised (NMAR; Meyer et al., Med. Phys. 37 (2010) 5482, equations 2 to 4):
/// the quotient of measured and prior projections is interpolated and multiplied with the prior again, so that bone
/// beside and behind metal stays. The image that follows shows no metal; its place is metal_prior's output.
///
///     fdk_reconstruction -> metal_prior -> forward_projection (metal; prior) -> metal_artefact_reduction ->
///     fdk_reconstruction
///
/// Metrics: replaced_percent, rows_all_metal (they stay as they are, with a warning). Cost: one read of each
/// input and one write; on a device run waits for the counts that it reports. Errors: bad_data when the inputs' shapes
/// disagree.
struct MetalArtefactReduction {
  static constexpr const char* name = "metal_artefact_reduction";
  static constexpr const char* module = "recon";
  static constexpr const char* summary = "Replaces line integrals through metal from beside it (LI-MAR, NMAR).";
  static constexpr const char* help =
      "Sinogram inpainting along detector rows, normalised by a prior where there is one.";
  struct Params {
    double threshold_mm = 0.1;
    std::int64_t margin_columns = 1;
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::threshold_mm, "threshold_mm", Unit::mm, 0, 1000,
                "A ray with more metal than this is replaced."),
          param(&Params::margin_columns, "margin_columns", Unit::px, 0, 50, "Columns replaced beside the trace."),
      };
    }
  };
  struct Ports {
    In<Projections> input{"input", "Line integrals."};
    In<Projections> metal{"metal", "Projections of the metal mask."};
    In<Projections> prior{"prior", "Projections of the prior image.", optional_port};
    Out<Projections> output{"output", "Line integrals as if without metal."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::metal, &Ports::prior, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
