#include "recon/voxel_driven.hpp"

#include <algorithm>
#include <cmath>
#include <isocenter/recon/projection_matrix.hpp>

#include "recon/fdk_simd.hpp"

namespace isocenter::detail {

namespace {

constexpr int most_views_at_once = 48;
constexpr std::int64_t slack_floats = 16;  // behind the last view of a stack

std::int64_t round_up(std::int64_t floats) { return (floats + 15) / 16 * 16; }

/// From voxel indices to (u t, v t, t), t = 1 on the detector (cone beam).
FdkMatrix matrix_of(const View& view, Beam beam, const Geometry& g) {
  ProjectionMatrix p = projection_matrix_of(view, beam);
  double depth = 1.0;
  if (beam == Beam::cone) {
    const Vector3 to_detector = minus(view.detector_origin_mm, view.source_mm);
    depth = dot(first_three(p, 2), to_detector);
  }
  FdkMatrix m{};
  for (std::size_t row = 0; row < 3; ++row) {
    double last = p[4 * row + 3];
    for (std::size_t k = 0; k < 3; ++k) {
      const auto axis = g.axis(static_cast<int>(k));
      const double along = dot(first_three(p, row), Vector3{axis[0], axis[1], axis[2]});
      m.m[4 * row + k] = static_cast<float>(along * g.spacing_mm[k] / depth);
      last += p[4 * row + k] * g.origin_mm[k];
    }
    m.m[4 * row + 3] = static_cast<float>(last / depth);
  }
  return m;
}

/// `in_plane`: of a single row.
VoxelDrivenWeight weight_of(const View& view, Beam beam, const Geometry& g, bool in_plane) {
  const Vector3 u = view.u_step_mm, v = view.v_step_mm, normal = cross(u, v);
  const Vector3 d = beam == Beam::cone ? minus(view.detector_origin_mm, view.source_mm) : view.source_mm;
  double size = g.spacing_mm[0] * g.spacing_mm[1] * g.spacing_mm[2];
  if (in_plane) {
    double best = -1.0, across = 1.0;
    for (int k = 0; k < 3; ++k) {
      const auto axis = g.axis(k);
      const double along = std::fabs(dot(v, Vector3{axis[0], axis[1], axis[2]}));
      if (along > best) best = along, across = g.spacing_mm[k];
    }
    size /= across;
  }
  const double scale = size / (in_plane ? length(cross(u, d)) : std::fabs(dot(normal, d)));
  const auto f = [&](double value) { return static_cast<float>(scale * scale * value); };
  if (beam == Beam::parallel) return {f(1.0), 0, 0, 0, 0, 0};
  return {f(dot(d, d)), f(2 * dot(d, u)), f(2 * dot(d, v)), f(dot(u, u)), f(2 * dot(u, v)), f(dot(v, v))};
}

}  // namespace

VoxelDriven::VoxelDriven(const ProjectorRequest& request, const ProjectorPlan& plan,
                         std::span<const std::int32_t> order)
    : columns_(request.columns), rows_(request.rows), n_{request.nx, request.ny, request.nz} {
  if (request.detector == DetectorShape::curved)
    throw Failure(ErrorCode::unsupported,
                  "back_projector = voxel_driven, and the detector of acquisition.detector is curved",
                  "set back_projector to joseph, which takes every detector");
  for (const std::int32_t n : order) {
    const View& view = request.views[static_cast<std::size_t>(n)];
    host_matrices_.push_back(matrix_of(view, request.beam, request.geometry));
    host_weights_.push_back(weight_of(view, request.beam, request.geometry, rows_ == 1));
  }
  const int views = static_cast<int>(host_matrices_.size());
  places_ = views;
  views_at_once_ = std::min(most_views_at_once, std::max(views, 1));
  column_axis_ = plan.volume.fast;
  // A 2-D scan has no columns to share anything along.
  aligned_ = rows_ > 1 && fdk_is_aligned(host_matrices_.data(), views, column_axis_, n_[column_axis_]);
}

void VoxelDriven::cut(int slabs, int height, int views) {
  views_at_once_ = std::min(views_at_once_, views);
  const std::vector<FdkMatrix> whole(host_matrices_.begin(), host_matrices_.begin() + places_);
  host_matrices_.clear();
  for (int slab = 0; slab < slabs; ++slab)
    for (FdkMatrix m : whole) {
      for (int row = 0; row < 3; ++row)
        m.m[4 * row + 3] += static_cast<float>(slab) * static_cast<float>(height) * m.m[4 * row + 2];
      host_matrices_.push_back(m);
    }
}

void VoxelDriven::upload(PlanContext& plan) {
  use(plan.upload(std::span(std::as_const(host_matrices_)), "projection matrices"),
      plan.upload(std::span(std::as_const(host_weights_)), "weights of the detector's elements"));
  host_matrices_ = {};  // of slabs they are as large as the tables
  host_weights_ = {};
}

void VoxelDriven::require_kernels(const PlanContext& plan) {
  plan.require_kernel<VoxelDrivenArrange>();
  plan.require_kernel<FdkBackProject>();
}

FdkStack VoxelDriven::stack(float* data) const { return FdkStack::describe(data, columns_, rows_); }

std::uint64_t VoxelDriven::scratch_bytes(const Launcher& launcher) const {
  const std::int64_t voxels = static_cast<std::int64_t>(n_[0]) * n_[1] * n_[2];
  return static_cast<std::uint64_t>(round_up(voxels)) * sizeof(float) + slab_scratch_bytes(launcher);
}

std::uint64_t VoxelDriven::slab_scratch_bytes(const Launcher& launcher) const {
  const std::int64_t floats = round_up(views_at_once_ * stack(nullptr).view_stride + slack_floats);
  return static_cast<std::uint64_t>(floats) * sizeof(float) +
         (launcher.on_cpu() && aligned_ ? fdk_aligned_scratch(launcher.concurrency) + 64 : 0);
}

void VoxelDriven::back(const Launcher& launcher, const Projector& projector, const float* in, std::int64_t first,
                       int count, float* volume, void* scratch) const {
  auto* dense = static_cast<float*>(scratch);
  back_slab(launcher, projector.plan(), in, first, count, 0, n_[2], dense,
            dense + round_up(static_cast<std::int64_t>(n_[0]) * n_[1] * n_[2]), false);
  projector.take_volume(launcher, dense, volume);
}

void VoxelDriven::back_slab(const Launcher& launcher, const ProjectorPlan& plan, const float* in, std::int64_t first,
                            int count, int slab, int height, float* slices, void* scratch, bool goes_on) const {
  auto* views = static_cast<float*>(scratch);
  const FdkStack to = stack(views);
  float* tiles = views + round_up(views_at_once_ * to.view_stride + slack_floats);
  tiles += (64 - reinterpret_cast<std::uintptr_t>(tiles) % 64) % 64 / sizeof(float);
  for (int begin = 0; begin < count; begin += views_at_once_) {
    const int some = std::min(views_at_once_, count - begin);
    const VoxelDrivenArrange arrange{in + begin * plan.stack.view_stride(),
                                     to,
                                     weights_ + first + begin,
                                     plan.stack.view_stride(),
                                     plan.along_rows ? 1 : plan.stack.stride,
                                     plan.along_rows ? plan.stack.stride : 1};
    launch(launcher, arrange, to.row_stride, to.columns + 2, some);
    FdkBackProject job{to,
                       matrices_ + slab * places_ + first + begin,
                       some,
                       slices,
                       n_[0],
                       n_[1],
                       height,
                       0.0F,
                       goes_on || begin > 0,
                       column_axis_};
    job.in_plane = rows_ == 1;
    const bool tuned = aligned_ && !launcher.reference_only;
    if (tuned && launcher.on_cpu() && fdk_back_project_aligned(launcher, job, tiles)) continue;
    if (tuned && !launcher.on_cpu()) {
      launch_by_name(launcher, "recon/fdk_back_project_columns", &job, job.nx, job.ny, job.nz);
      continue;
    }
    launch(launcher, job, job.nx, job.ny, job.nz);
  }
}

}  // namespace isocenter::detail
