#include "recon/projector.hpp"

#include <algorithm>

#include "recon/joseph_simd.hpp"
#include "recon/mask_copy.hpp"
#include "recon/vector_kernels.hpp"

namespace isocenter::detail {

std::uint64_t Projector::scratch_bytes(const Launcher& launcher) const {
  if (!launcher.on_cpu()) return 0;
  if (plan_.aligned) return joseph_simd_scratch(plan_.plane, plan_.volume.fast, plan_.stack, launcher.concurrency);
  if (plan_.separated)
    return joseph_any_scratch(plan_.plane, plan_.volume.fast, plan_.stack, plan_.turns, launcher.concurrency);
  return 0;
}

void Projector::require_kernels(const PlanContext& plan) {
  plan.require_kernel<JosephForward>();
  plan.require_kernel<JosephAdjoint>();
  plan.require_kernel<ProjectorCopy>();
  plan.require_kernel<FillFloats>();
  plan.require_kernel<MaskCopy>();
}

JosephScan Projector::scan(const std::int32_t* order, int count) const {
  return {lines_, order, count, plan_.runs, plan_.stack, {plan_.plane[0], plan_.plane[1], plan_.plane[2]}};
}

void Projector::forward(const Launcher& launcher, const float* volume, const std::int32_t* order, int count, float* out,
                        void* scratch) const {
  const JosephForward job{scan(order, count), volume, out};
  const bool tuned = launcher.on_cpu() && !launcher.reference_only;
  if (tuned && plan_.aligned && joseph_forward_simd(launcher, job, plan_.volume.fast, scratch)) return;
  if (tuned && plan_.separated && joseph_forward_any(launcher, job, plan_.volume.fast, plan_.turns, scratch)) return;
  launch(launcher, job, plan_.stack.stride, plan_.stack.lines, count);
}

void Projector::back(const Launcher& launcher, const float* in, const std::int32_t* order, int count, float* volume,
                     void* scratch, bool goes_on) const {
  JosephAdjoint job{scan(order, count), in, volume, 0};
  if (!goes_on) fill(launcher, volume, plan_.volume.floats, 0.0F);
  const bool tuned = launcher.on_cpu() && !launcher.reference_only;
  if (tuned && plan_.aligned && joseph_adjoint_simd(launcher, job, plan_.volume.fast, scratch)) return;
  if (tuned && plan_.separated && joseph_adjoint_any(launcher, job, plan_.volume.fast, plan_.turns, scratch)) return;
  for (job.axis = 0; job.axis < 3; ++job.axis)
    launch(launcher, job, plan_.plane[job.axis].nc, plan_.plane[job.axis].na, 1);
}

void Projector::take_volume(const Launcher& launcher, const float* zyx, float* volume, ValueMap map) const {
  const ProjectorVolume& v = plan_.volume;
  const std::int64_t stride[3] = {1, v.n[0], static_cast<std::int64_t>(v.n[0]) * v.n[1]};
  fill(launcher, volume, v.floats, 0.0F);
  const ProjectorCopy copy{zyx,
                           volume,
                           stride[v.slow],
                           v.stride[v.slow],
                           static_cast<std::int32_t>(stride[v.fast]),
                           static_cast<std::int32_t>(stride[v.middle]),
                           v.stride[v.middle],
                           v.n[v.fast],
                           map.scale,
                           map.shift};
  launch(launcher, copy, v.padded, v.n[v.middle], v.n[v.slow]);
}

void Projector::give_volume(const Launcher& launcher, const float* volume, float* zyx, ValueMap map) const {
  const ProjectorVolume& v = plan_.volume;
  const ProjectorCopy copy{volume,
                           zyx,
                           v.stride[2],
                           static_cast<std::int64_t>(v.n[0]) * v.n[1],
                           static_cast<std::int32_t>(v.stride[0]),
                           static_cast<std::int32_t>(v.stride[1]),
                           v.n[0],
                           v.n[0],
                           map.scale,
                           map.shift};
  launch(launcher, copy, v.n[0], v.n[1], v.n[2]);
}

void Projector::take_views(const Launcher& launcher, const float* nvu, float* views, int count) const {
  const ProjectorPlan& p = plan_;
  const std::int64_t view = static_cast<std::int64_t>(p.rows) * p.columns;
  const ProjectorCopy copy{nvu,
                           views,
                           view,
                           p.stack.view_stride(),
                           p.along_rows ? 1 : p.columns,
                           p.along_rows ? p.columns : 1,
                           p.stack.stride,
                           p.stack.elements,
                           1.0F,
                           0.0F};
  launch(launcher, copy, p.stack.stride, p.stack.lines, count);
}

void Projector::give_views(const Launcher& launcher, const float* views, float* nvu, int count) const {
  const ProjectorPlan& p = plan_;
  const ProjectorCopy copy{views,
                           nvu,
                           p.stack.view_stride(),
                           static_cast<std::int64_t>(p.rows) * p.columns,
                           p.along_rows ? 1 : p.stack.stride,
                           p.along_rows ? p.stack.stride : 1,
                           p.columns,
                           p.columns,
                           1.0F,
                           0.0F};
  launch(launcher, copy, p.columns, p.rows, count);
}

void Projector::fill_volume(const Launcher& launcher, float* volume, float value) const {
  const ProjectorVolume& v = plan_.volume;
  fill(launcher, volume, v.floats, 0.0F);
  const MaskCopy values{nullptr, nullptr, volume, {0, 0, 0}, {1, v.stride[v.middle], v.stride[v.slow]}, value};
  launch(launcher, values, v.n[v.fast], v.n[v.middle], v.n[v.slow]);
}

void Projector::fill_views(const Launcher& launcher, float* views, int count, float value) const {
  const LineStack& stack = plan_.stack;
  fill(launcher, views, view_floats(count), 0.0F);
  const MaskCopy values{nullptr, nullptr, views, {0, 0, 0}, {1, stack.stride, stack.view_stride()}, value};
  launch(launcher, values, stack.elements, stack.lines, count);
}

}  // namespace isocenter::detail
