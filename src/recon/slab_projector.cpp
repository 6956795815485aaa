#include "recon/slab_projector.hpp"

#include <algorithm>
#include <numeric>

#include "recon/joseph_slab.hpp"
#include "recon/vector_kernels.hpp"

namespace isocenter::detail {

namespace {

constexpr std::int64_t aligned(std::int64_t bytes) { return (bytes + 63) / 64 * 64; }

/// Rows along z are padded to 16 voxels, so that whole multiples waste nothing.
int height_for(const ProjectorVolume& v, int slabs) {
  const int height = (v.n[2] + slabs - 1) / slabs;
  return v.fast == 2 && height > 16 ? std::min((height + 15) / 16 * 16, v.n[2]) : height;
}

}  // namespace

SlabProjector::SlabProjector(const Projector& whole, int slabs, int views)
    : whole_(&whole.plan()),
      height_(height_for(whole.plan().volume, slabs)),
      views_(views),
      most_(plan_of_slab(whole.plan(), height_)),
      last_(plan_of_slab(whole.plan(), height_)),
      host_places_(static_cast<std::size_t>(views)) {
  const int nz = whole.plan().volume.n[2];
  slabs_ = (nz + height_ - 1) / height_;
  last_height_ = nz - (slabs_ - 1) * height_;
  last_ = Projector(plan_of_slab(whole.plan(), last_height_));
  std::iota(host_places_.begin(), host_places_.end(), 0);
}

void SlabProjector::require_kernels(const PlanContext& plan) {
  plan.require_kernel<JosephSlab>();
  plan.require_kernel<PointwiseKernel>();
}

std::uint64_t SlabProjector::work_bytes(const Launcher& launcher) const {
  const auto floats = static_cast<std::int64_t>(sizeof(float));
  const std::int64_t lines = static_cast<std::int64_t>(views_) * whole_->stack.lines * whole_->runs;
  return static_cast<std::uint64_t>(aligned(most_.volume_floats() * floats) +
                                    aligned(most_.view_floats(views_) * floats) +
                                    aligned(lines * static_cast<std::int64_t>(sizeof(JosephLine)))) +
         std::max(most_.scratch_bytes(launcher), last_.scratch_bytes(launcher));
}

void SlabProjector::use(const JosephLine* lines, void* work, const RunContext* run) {
  run_ = run;
  may_stop_ = true;
  const auto floats = static_cast<std::int64_t>(sizeof(float));
  auto* at = static_cast<char*>(work);
  volume_ = reinterpret_cast<float*>(at);
  at += aligned(most_.volume_floats() * floats);
  added_ = reinterpret_cast<float*>(at);
  at += aligned(most_.view_floats(views_) * floats);
  lines_ = reinterpret_cast<JosephLine*>(at);
  at += aligned(static_cast<std::int64_t>(views_) * whole_->stack.lines * whole_->runs *
                static_cast<std::int64_t>(sizeof(JosephLine)));
  scratch_ = at;
  whole_lines_ = lines;
  most_.use(lines_);
  last_.use(lines_);
}

void SlabProjector::shift_lines(const Launcher& launcher, const std::int32_t* order, int count, int slab) const {
  const int per_view = whole_->stack.lines * whole_->runs;
  const JosephSlab shift{whole_lines_,
                         order,
                         lines_,
                         per_view,
                         {whole_->c_axis[0], whole_->c_axis[1], whole_->c_axis[2]},
                         static_cast<std::int32_t>(first_slice(slab)),
                         height_of(slab)};
  launch(launcher, shift, per_view, 1, count);
}

void SlabProjector::hold(const Launcher& launcher, int slab, const float* slices) const {
  if (slices != nullptr)
    take(slab).take_volume(launcher, slices, volume_, map_);
  else
    take(slab).fill_volume(launcher, volume_, 1.0F);
}

void SlabProjector::forward_held(const Launcher& launcher, int slab, const std::int32_t* order, int count,
                                 float* out) const {
  shift_lines(launcher, order, count, slab);
  take(slab).forward(launcher, volume_, places_, count, out, scratch_);
}

void SlabProjector::back_held(const Launcher& launcher, int slab, const std::int32_t* order, int count, const float* in,
                              bool goes_on) const {
  shift_lines(launcher, order, count, slab);
  take(slab).back(launcher, in, places_, count, volume_, scratch_, goes_on);
}

void SlabProjector::forward(const Launcher& launcher, const float* volume, const std::int32_t* order, int count,
                            float* out) const {
  const std::int64_t slice = static_cast<std::int64_t>(whole_->volume.n[0]) * whole_->volume.n[1];
  for (int slab = 0; slab < slabs_ && !stops(); ++slab) {
    hold(launcher, slab, volume == nullptr ? nullptr : volume + first_slice(slab) * slice);
    for (int begin = 0; begin < count && !stops(); begin += views_) {
      const int some = std::min(views_, count - begin);
      float* to = out + view_floats(begin);
      forward_held(launcher, slab, order + begin, some, slab == 0 ? to : added_);
      if (slab > 0) launch_flat(launcher, PointwiseKernel{to, to, added_, Pointwise::add}, view_floats(some));
    }
  }
}

void SlabProjector::back(const Launcher& launcher, const float* in, const std::int32_t* order, int count, int slab,
                         float* slices, bool goes_on) const {
  if (goes_on) hold(launcher, slab, slices);
  for (int begin = 0; begin < count && !stops(); begin += views_)
    back_held(launcher, slab, order + begin, std::min(views_, count - begin), in + view_floats(begin),
              goes_on || begin > 0);
  give(launcher, slab, slices);
}

const float* SlabProjector::ones(const Launcher& launcher, int count) const {
  most_.fill_views(launcher, added_, count, 1.0F);
  return added_;
}

}  // namespace isocenter::detail
