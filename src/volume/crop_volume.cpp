#include <isocenter/volume/crop_volume.hpp>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "core/orientation.hpp"
#include "volume/crop.hpp"
#include "volume/field_of_view.hpp"

namespace isocenter::detail {
namespace {

/// Middle and size of the slices along one axis of which enough is filled; size 0 where none is.
struct Reach {
  double middle = 0, size = 0;
};

/// filled[a][i]: labelled voxels of slice i across axis a.
Reach reach_of(const std::vector<std::int64_t>& filled, std::int64_t slice_voxels, double least) {
  std::int64_t first = -1, last = -1;
  for (std::size_t i = 0; i < filled.size(); ++i)
    if (static_cast<double>(filled[i]) > least * static_cast<double>(slice_voxels)) {
      if (first < 0) first = static_cast<std::int64_t>(i);
      last = static_cast<std::int64_t>(i);
    }
  if (first < 0) return {};
  return {0.5 * static_cast<double>(first + last + 1), static_cast<double>(last + 1 - first)};
}

}  // namespace

class CropVolumeOperator : public OperatorBase<CropVolume> {
 public:
  void plan(PlanContext& plan) override {
    const PayloadRef in = plan.input("input");
    shape_ = grid_shape(in, "input", "voxels", DType::float32);
    if (!params.axes.empty() && !are_axes(params.axes))
      throw Failure(ErrorCode::invalid_argument, "axes = '" + params.axes + "' names no three directions",
                    "write one each of L R, P A and S I, RAS for example, or leave it empty");
    const Orientation turn = params.axes.empty() ? Orientation{} : orient(shape_.geometry, params.axes);
    turned_ = oriented(shape_, turn);
    kernel_.steps = voxel_steps(shape_, turn);
    kernel_.nearest = params.interpolation == Interpolation::nearest;
    plan_extent(plan.has_input("segmentation"));
    if (plan.has_input("segmentation")) plan_labels(plan.input("segmentation"));
    describe_output(in, plan.output("output"));
    plan.fact("axes", nearest_axes(shape_.geometry) + " taken as " + nearest_axes(turned_.geometry));
  }

  void run(const RunContext& run) override {
    const Launcher launcher = launcher_of(run);
    PayloadRef out = run.output("output");
    const auto* in = run.input("input").tensor("voxels").as<const float>();
    auto* values = out.tensor("voxels").as<float>();
    auto* boxes = out.tensor("box").as<std::int32_t>();
    for (int t = 0; t < shape_.nt; ++t) {
      run.check_cancelled();
      kernel_.box = has_labels_ ? box_of(run, t) : VoxelBox{{0, 0, 0}, {turned_.nx, turned_.ny, turned_.nz}};
      kernel_.in = in + t * shape_.frame_voxels();
      kernel_.out = values + static_cast<std::int64_t>(t) * kernel_.nx * kernel_.ny * kernel_.nz;
      launch(launcher, kernel_, kernel_.nx, kernel_.ny, kernel_.nz);
      for (int a = 0; a < 3; ++a) {
        boxes[6 * t + a] = kernel_.box.first[a];
        boxes[6 * t + 3 + a] = kernel_.box.size[a];
      }
      run.progress(static_cast<double>(t + 1) / shape_.nt);
    }
    if (shape_.nt == 1) out.set_geometry(geometry_of(kernel_.box));
  }

 private:
  void plan_extent(bool has_labels) {
    if (params.extent.empty() && has_labels)
      throw Failure(ErrorCode::invalid_argument, "extent is empty, and with a segmentation the box' size is not known",
                    "write 'extent: [128, 128, 128]', for example");
    if (!params.extent.empty() && params.extent.size() != 3)
      throw Failure(ErrorCode::invalid_argument,
                    "extent has " + std::to_string(params.extent.size()) + " numbers, and three (x, y, z) are needed",
                    "write 'extent: [128, 128, 128]', for example");
    int* const to[3] = {&kernel_.nx, &kernel_.ny, &kernel_.nz};
    const int own[3] = {turned_.nx, turned_.ny, turned_.nz};
    for (std::size_t a = 0; a < 3; ++a) {
      *to[a] = params.extent.empty() ? own[a] : static_cast<int>(params.extent[a]);
      if (!params.extent.empty() && params.extent[a] != std::floor(params.extent[a]))
        throw Failure(ErrorCode::invalid_argument,
                      "extent holds " + to_parameter_text(params.extent[a]) + ", and whole numbers are needed",
                      "count voxels");
    }
  }

  /// The labels' axes are turned as the volume's; both cover the same field of view.
  void plan_labels(const PayloadRef& labels) {
    labels_ = grid_shape(labels, "segmentation", "labels", DType::uint8);
    if (labels_.nt != shape_.nt)
      throw Failure(ErrorCode::bad_data,
                    "input 'segmentation' has " + std::to_string(labels_.nt) + " time frames and input 'input' " +
                        std::to_string(shape_.nt),
                    "segment the volume that is cut");
    const Orientation turn = orient(labels_.geometry, nearest_axes(turned_.geometry));
    turned_labels_ = oriented(labels_, turn);
    label_steps_ = voxel_steps(labels_, turn);
    const GridShape& b = turned_labels_;
    if (const double apart = corners_apart_mm(turned_, b); apart > corner_tolerance_mm(shape_))
      throw Failure(ErrorCode::bad_data,
                    "the fields of view of input 'input' and input 'segmentation' have corners up to " +
                        to_parameter_text(apart) + " mm apart",
                    "segment the volume that is cut, or what crop_volume makes of it without a segmentation");
    for (int axis = 0; axis < 3; ++axis)
      filled_[axis].resize(static_cast<std::size_t>(axis == 0 ? b.nx : axis == 1 ? b.ny : b.nz));
    has_labels_ = true;
  }

  void describe_output(const PayloadRef& in, PayloadRef out) const {
    const int n[3] = {kernel_.nx, kernel_.ny, kernel_.nz}, from[3] = {turned_.nx, turned_.ny, turned_.nz};
    out.set_tensor("voxels", shape_.has_time ? tensor(DType::float32, "tzyx", {shape_.nt, n[2], n[1], n[0]})
                                             : tensor(DType::float32, "zyx", {n[2], n[1], n[0]}));
    out.set_tensor("box", tensor(DType::int32, "tn", {shape_.nt, 6}));
    out.set_geometry(geometry_of({{0, 0, 0}, {turned_.nx, turned_.ny, turned_.nz}}));
    out.inherit_attributes(in);
    const double grid[3] = {static_cast<double>(from[0]), static_cast<double>(from[1]), static_cast<double>(from[2])};
    out.set_numbers("crop.grid", grid);
    out.set_text("crop.axes", nearest_axes(turned_.geometry));
  }

  /// The box' outer corners are the crop's.
  Geometry geometry_of(const VoxelBox& box) const {
    const int n[3] = {kernel_.nx, kernel_.ny, kernel_.nz};
    Geometry geometry = turned_.geometry;
    double first[3];
    for (int a = 0; a < 3; ++a) {
      const double ratio = static_cast<double>(box.size[a]) / n[a];
      first[a] = box.first[a] + 0.5 * ratio - 0.5;
      geometry.spacing_mm[a] *= ratio;
    }
    const auto origin = turned_.geometry.position_mm(first[0], first[1], first[2]);
    std::copy(origin.begin(), origin.end(), geometry.origin_mm);
    return geometry;
  }

  VoxelBox box_of(const RunContext& run, int frame) {
    const auto* labels =
        run.input("segmentation").tensor("labels").as<const std::uint8_t>() + frame * labels_.frame_voxels();
    const int n[3] = {turned_labels_.nx, turned_labels_.ny, turned_labels_.nz};
    const int to[3] = {turned_.nx, turned_.ny, turned_.nz};
    for (auto& counts : filled_) std::fill(counts.begin(), counts.end(), 0);
    for (int z = 0; z < n[2]; ++z)
      for (int y = 0; y < n[1]; ++y)
        for (int x = 0; x < n[0]; ++x)
          if (labels[label_steps_.at(x, y, z)] != 0) {
            ++filled_[0][static_cast<std::size_t>(x)];
            ++filled_[1][static_cast<std::size_t>(y)];
            ++filled_[2][static_cast<std::size_t>(z)];
          }
    VoxelBox box{};
    for (int a = 0; a < 3; ++a) {
      const std::int64_t slice = labels_.frame_voxels() / n[a];
      const Reach reach = reach_of(filled_[a], slice, params.least_filled);
      if (reach.size == 0)
        throw Failure(ErrorCode::bad_data,
                      "no slice across axis " + std::string(1, "xyz"[a]) +
                          " of input 'segmentation' has labels in more than " + to_parameter_text(params.least_filled) +
                          " of its voxels",
                      "look at what was segmented, or lower least_filled");
      const double ratio = static_cast<double>(to[a]) / n[a];
      const double middle = std::nearbyint(reach.middle * ratio);
      const double size = std::nearbyint(reach.size * ratio * (1 + 2 * params.margin));
      const double low = std::max(0.0, std::trunc(middle - size / 2));
      const double high = std::min(static_cast<double>(to[a]), std::trunc(middle + size / 2));
      box.first[a] = static_cast<std::int32_t>(std::min(low, to[a] - 1.0));
      box.size[a] = std::max(1, static_cast<std::int32_t>(high) - box.first[a]);
    }
    return box;
  }

  GridShape shape_, turned_;          ///< the volume, and with its axes as asked for
  GridShape labels_, turned_labels_;  ///< the same of the labels
  VoxelSteps label_steps_{};
  bool has_labels_ = false;
  std::array<std::vector<std::int64_t>, 3> filled_;  ///< labelled voxels of each slice across x, y, z
  CropKernel kernel_{};
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(crop_volume, CropVolumeOperator)
