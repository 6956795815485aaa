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

void SlabProjector::use(const JosephLine* lines, void* work) {
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

void SlabProjector::forward(const Launcher& launcher, const float* volume, const std::int32_t* order, int count,
                            float* out) const {
  const std::int64_t slice = static_cast<std::int64_t>(whole_->volume.n[0]) * whole_->volume.n[1];
  for (int slab = 0; slab < slabs_; ++slab) {
    const Projector& projector = take(slab);
    if (volume != nullptr) {
      projector.take_volume(launcher, volume + first_slice(slab) * slice, volume_);
    } else {
      projector.fill_volume(launcher, volume_, 1.0F);
    }
    for (int begin = 0; begin < count; begin += views_) {
      const int some = std::min(views_, count - begin);
      const std::int64_t floats = projector.view_floats(some);
      float* to = out + projector.view_floats(begin);
      shift_lines(launcher, order + begin, some, slab);
      projector.forward(launcher, volume_, places_, some, slab == 0 ? to : added_, scratch_);
      if (slab > 0) launch_flat(launcher, PointwiseKernel{to, to, added_, Pointwise::add}, floats);
    }
  }
}

void SlabProjector::back(const Launcher& launcher, const float* in, const std::int32_t* order, int count, int slab,
                         float* slices, bool goes_on) const {
  const Projector& projector = take(slab);
  if (goes_on) projector.take_volume(launcher, slices, volume_);
  for (int begin = 0; begin < count; begin += views_) {
    const int some = std::min(views_, count - begin);
    shift_lines(launcher, order + begin, some, slab);
    projector.back(launcher, in + projector.view_floats(begin), places_, some, volume_, scratch_, goes_on || begin > 0);
  }
  projector.give_volume(launcher, volume_, slices);
}

const float* SlabProjector::ones(const Launcher& launcher, int count) const {
  most_.fill_views(launcher, added_, count, 1.0F);
  return added_;
}

}  // namespace isocenter::detail
