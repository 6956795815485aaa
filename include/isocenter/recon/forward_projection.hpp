#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// Line integrals through a volume along the rays of a scan: A x.
///
/// | port     | payload     | shape                  | unit                              |
/// |----------|-------------|------------------------|-----------------------------------|
/// | input    | Volume      | zyx                    | 1/mm, HU (with mu_water_per_mm)   |
/// | geometry | Projections | views × rows × columns | any: only its acquisition is used |
/// | output   | Projections | as geometry            | 1                                 |
///
/// Method: Joseph, IEEE Trans. Med. Imaging 1 (1982) 192, in 3-D: bilinear samples in the planes of voxel centres along
/// the axis on which the ray moves fastest (that of the middle ray of its detector column), between source and
/// detector; zero outside the volume. Any trajectory, cone or parallel beam, flat or curved detector, any direction of
/// the volume. The adjoint is back_projection with method = matched. Memory: a copy of the volume and of 32 views in
/// the projector's order; in slabs where that does not fit, and on a device with both ports in host memory
/// (docs/recon/scale.md). Errors: what is wrong with the acquisition; unsupported for rays of a column that turn too
/// far; bad_data for a volume that is not "zyx" float32; out_of_memory with the least that would do.
struct ForwardProjection {
  static constexpr const char* name = "forward_projection";
  static constexpr const char* module = "recon";
  static constexpr const char* summary = "Line integrals through a volume along the rays of a scan.";
  static constexpr const char* help = "Joseph's projector for any trajectory. CPU (AVX-512, AVX2, portable) and CUDA.";
  struct Params {
    double mu_water_per_mm = 0;
    static constexpr auto describe() {
      return std::tuple{param(&Params::mu_water_per_mm, "mu_water_per_mm", Unit::per_mm, 0, 10,
                              "Attenuation of water, for a volume in HU; 0: the geometry's attribute.")};
    }
  };
  struct Ports {
    In<Volume> input{"input", "What is projected."};
    In<Projections> geometry{"geometry", "Projections with the wanted acquisition; their values are not used."};
    Out<Projections> output{"output", "Line integrals."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::geometry, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
