#pragma once
#include <isocenter/operator.hpp>
#include <isocenter/render/interpolation.hpp>

namespace isocenter::inline v1 {

enum class ReformatPlane { axial, coronal, sagittal, oblique };
enum class SlabProjection { mean, maximum, minimum };

/// A volume cut anew: planes of any direction, thick slabs, or a whole grid of other voxels.
///
/// | port   | payload | shape                                  | unit     |
/// |--------|---------|----------------------------------------|----------|
/// | input  | Volume  | zyx or tzyx                            | any      |
/// | output | Volume  | slices × height × width (and time)     | as input |
///
/// The output's axes are patient directions, whatever the input's: axial has rows to the left (L) and columns to the
/// back (P), slices to the head; coronal rows to L and columns to the feet, slices to P; sagittal rows to P and columns
/// to the feet, slices to the right; oblique as row_direction and column_direction say, slices along their cross
/// product. The output's geometry says where its voxels are. Samples outside of the input do not count.
/// Errors: invalid_argument when a direction has no length or the two are not at right angles.
struct MultiPlanarReformat {
  static constexpr const char* name = "multi_planar_reformat";
  static constexpr const char* module = "render";
  static constexpr const char* summary =
      "Planes and slabs of any direction through a volume; resampling to a new grid.";
  static constexpr const char* help =
      "With everything at its default it gives the whole volume in axial planes of cubes of the smallest voxel edge.";
  struct Params {
    ReformatPlane plane = ReformatPlane::axial;
    std::vector<double> row_direction = {1, 0, 0};
    std::vector<double> column_direction = {0, 1, 0};
    std::vector<double> centre_mm = {};
    std::int64_t width = 0;
    std::int64_t height = 0;
    std::int64_t slices = 0;
    double pixel_mm = 0;
    double slice_mm = 0;
    double slab_mm = 0;
    SlabProjection slab = SlabProjection::mean;
    Interpolation interpolation = Interpolation::linear;
    double outside = -1024;
    static constexpr const char* planes[] = {"axial", "coronal", "sagittal", "oblique"};
    static constexpr const char* slabs[] = {"mean", "maximum", "minimum"};
    static constexpr auto describe() {
      return std::tuple{
          choice(&Params::plane, "plane", planes, "Which way the planes lie in the patient."),
          param(&Params::row_direction, "row_direction", Unit::none, -1, 1,
                "oblique: where a row goes, x, y, z in the patient frame (left, posterior, head)."),
          param(&Params::column_direction, "column_direction", Unit::none, -1, 1, "oblique: where a column goes."),
          param(&Params::centre_mm, "centre_mm", Unit::mm, -1e5, 1e5,
                "The middle of the output in the patient frame; empty: the middle of the input."),
          param(&Params::width, "width", Unit::px, 0, 65535, "Voxels of a row; 0: as many as cover the input."),
          param(&Params::height, "height", Unit::px, 0, 65535, "Voxels of a column; 0: as many as cover the input."),
          param(&Params::slices, "slices", Unit::px, 0, 65535, "Planes; 0: as many as cover the input."),
          param(&Params::pixel_mm, "pixel_mm", Unit::mm, 0, 1000,
                "Distance of voxels in a plane; 0: the smallest spacing of the input."),
          param(&Params::slice_mm, "slice_mm", Unit::mm, 0, 1000, "Distance of planes; 0: as pixel_mm."),
          param(&Params::slab_mm, "slab_mm", Unit::mm, 0, 1000,
                "Thickness over which each voxel looks; 0: the plane alone."),
          choice(&Params::slab, "slab", slabs, "What a slab shows of its samples."),
          choice(&Params::interpolation, "interpolation", interpolations, "How values between voxels are read."),
          param(&Params::outside, "outside", Unit::none, -1e6, 1e6, "The value outside of the input."),
      };
    }
  };
  struct Ports {
    In<Volume> input{"input", "The volume to cut."};
    Out<Volume> output{"output", "The planes."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
