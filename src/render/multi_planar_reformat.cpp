#include <algorithm>
#include <cmath>
#include <isocenter/render/multi_planar_reformat.hpp>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "render/patient_planes.hpp"
#include "render/render_input.hpp"

namespace isocenter::detail {

class MultiPlanarReformatOperator : public OperatorBase<MultiPlanarReformat> {
 public:
  void plan(PlanContext& plan) override {
    shape_ = render_shape(plan.input("input"), "input", "voxels", DType::float32);
    const double* spacing = shape_.geometry.spacing_mm;
    const double smallest = *std::min_element(spacing, spacing + 3);
    const double pixel = params.pixel_mm > 0 ? params.pixel_mm : smallest;
    const double slice = params.slice_mm > 0 ? params.slice_mm : pixel;
    const PlaneAxes axes = params.plane == ReformatPlane::oblique
                               ? oblique_axes(params.row_direction, params.column_direction)
                               : anatomical_axes(static_cast<int>(params.plane));
    const Axis row = axis_of(axes.row, 0, params.width, "width", pixel);
    const Axis column = axis_of(axes.column, 1, params.height, "height", pixel);
    const Axis normal = axis_of(axes.normal, 2, params.slices, "slices", slice);
    Vector3 origin{};
    for (std::size_t a = 0; a < 3; ++a)
      origin[a] = row.first * axes.row[a] + column.first * axes.column[a] + normal.first * axes.normal[a];

    Geometry geometry = shape_.geometry;
    for (std::size_t a = 0; a < 3; ++a) {
      geometry.origin_mm[a] = origin[a];
      geometry.direction[3 * a] = axes.row[a];
      geometry.direction[3 * a + 1] = axes.column[a];
      geometry.direction[3 * a + 2] = axes.normal[a];
    }
    geometry.spacing_mm[0] = geometry.spacing_mm[1] = pixel;
    geometry.spacing_mm[2] = slice;
    PayloadRef output = plan.output("output");
    output.set_tensor("voxels", shape_.has_time
                                    ? tensor(DType::float32, "tzyx", {shape_.nt, normal.count, column.count, row.count})
                                    : tensor(DType::float32, "zyx", {normal.count, column.count, row.count}));
    output.set_geometry(geometry);
    output.inherit_attributes(plan.input("input"));

    kernel_.source = {nullptr, shape_.nx, shape_.ny, shape_.nz};
    kernel_.nx = row.count;
    kernel_.ny = column.count;
    kernel_.nz = normal.count;
    kernel_.grid = plane_grid(shape_.geometry, axes, origin, pixel, pixel, slice);
    set_slab(axes.normal, smallest);
    kernel_.nearest = params.interpolation == Interpolation::nearest;
    kernel_.outside = static_cast<float>(params.outside);
    plan.require_kernel<ReformatKernel>();
  }

  void run(const RunContext& run) override {
    kernel_.source.voxels = run.input("input").tensor("voxels").as<const float>();
    kernel_.out = run.output("output").tensor("voxels").as<float>();
    launch(launcher_of(run), kernel_, kernel_.nx, kernel_.ny, kernel_.nz * shape_.nt);
  }

 private:
  /// One axis of the output: how many points, and the first one's coordinate along it in mm.
  struct Axis {
    int count;
    double first;
  };
  Axis axis_of(const Vector3& direction, int which, std::int64_t asked, const char* name, double step) const {
    const Range range = extent_along(shape_, direction);
    const int covering = points_over(range, step);
    if (asked == 0 && covering > 65535)
      throw Failure(ErrorCode::invalid_argument,
                    std::string(name) + " would be " + std::to_string(covering) + " to cover the input at " +
                        to_parameter_text(step) + " mm, and at most 65535 are allowed",
                    "use a larger " + std::string(which == 2 ? "slice_mm" : "pixel_mm") + ", or set " + name);
    const int count = asked > 0 ? static_cast<int>(asked) : covering;
    if (params.centre_mm.empty())
      // As many points as cover the input start on its first voxel, so that equal grids coincide.
      return {count, asked > 0 ? 0.5 * (range.low + range.high) - 0.5 * step * (count - 1) : range.low};
    if (params.centre_mm.size() != 3)
      throw Failure(ErrorCode::invalid_argument,
                    "centre_mm has " + std::to_string(params.centre_mm.size()) + " numbers, and three are needed",
                    "give x, y, z in the patient frame, or nothing for the middle of the input");
    const double centre =
        direction[0] * params.centre_mm[0] + direction[1] * params.centre_mm[1] + direction[2] * params.centre_mm[2];
    return {count, centre - 0.5 * step * (count - 1)};
  }

  /// Samples across the slab, at most the smallest spacing apart.
  void set_slab(const Vector3& normal, double smallest) {
    kernel_.samples = params.slab_mm > 0 ? static_cast<int>(std::ceil(params.slab_mm / smallest)) + 1 : 1;
    kernel_.mode = static_cast<SlabMode>(params.slab);
    const double step = kernel_.samples > 1 ? params.slab_mm / (kernel_.samples - 1) : 0.0;
    const auto in_voxels = [&](double mm) {
      return to_voxels(shape_.geometry, {mm * normal[0], mm * normal[1], mm * normal[2]});
    };
    const auto first = in_voxels(-0.5 * params.slab_mm), next = in_voxels(step);
    for (std::size_t a = 0; a < 3; ++a) {
      kernel_.slab_first[a] = first[a];
      kernel_.slab_step[a] = next[a];
    }
  }

  GridShape shape_;
  ReformatKernel kernel_{};
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(multi_planar_reformat, MultiPlanarReformatOperator)
