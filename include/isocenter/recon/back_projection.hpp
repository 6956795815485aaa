#pragma once
#include <isocenter/operator.hpp>
#include <isocenter/recon/grid_parameters.hpp>

namespace isocenter::inline v1 {

/// Unfiltered back projection: the exact adjoint of forward_projection, A' y, or a voxel-driven one.
///
/// | port   | payload     | shape                  | unit                 |
/// |--------|-------------|------------------------|----------------------|
/// | input  | Projections | views × rows × columns | any                  |
/// | output | Volume      | zyx                    | mm times the input's |
///
/// <A x, y> = <x, A' y> to rounding. With back_projector = voxel_driven (flat detectors) the sum over the views of the
/// reading where the voxel's ray meets the detector, bilinear, with the weights of the adjoint's integral: what A' y
/// tends to for smooth y and small voxels, faster with a cone beam, but no transpose. No atomics: the same bits for
/// every number of threads, on CUDA too. Memory: a copy of the volume and of 32 views in the projector's
/// order (voxel_driven: of 144 views instead); in slabs where that does not fit, and on a device with both ports in
/// host memory (docs/recon/scale.md). Errors: as forward_projection; unsupported for voxel_driven with a curved
/// detector.
struct BackProjection {
  static constexpr const char* name = "back_projection";
  static constexpr const char* module = "recon";
  static constexpr const char* summary =
      "Unfiltered back projection: the exact adjoint of forward_projection, or voxel-driven.";
  static constexpr const char* help =
      "Joseph's projector, transposed, or every voxel reads each view. CPU (AVX-512, AVX2, portable) and CUDA.";
  struct Params {
    std::int64_t nx = 0, ny = 0, nz = 0;
    std::vector<double> spacing_mm = {0};
    std::vector<double> offset_mm = {0, 0, 0};
    BackProjector back_projector = BackProjector::joseph;
    static constexpr auto describe() {
      return std::tuple_cat(grid_parameters<Params>(), back_projector_parameter<Params>());
    }
  };
  struct Ports {
    In<Projections> input{"input", "What is back-projected, with its acquisition."};
    Out<Volume> output{"output", "The sum over all rays."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
