#include "recon/piece_projector.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "core/launcher.hpp"
#include "recon/joseph_slab.hpp"

namespace isocenter::detail {

namespace {
constexpr std::uint64_t aligned(std::uint64_t bytes) { return (bytes + 255) / 256 * 256; }
/// Slabs no thinner than this are made before arrays are kept on the host.
constexpr int least_height = 16;
/// So many voxel-driven views make whole passes over a volume.
constexpr int voxel_driven_views = 96;
}  // namespace

void PieceProjector::plan(PlanContext& plan, const Setup& setup, const ProjectorRequest& request) {
  setup_ = setup;
  n_[0] = request.nx, n_[1] = request.ny, n_[2] = request.nz;
  views_ = static_cast<int>(request.views.size());
  projector_.emplace(plan_projector(request));
  std::vector<std::int32_t> order(request.views.size());
  std::iota(order.begin(), order.end(), 0);
  voxel_driven_.reset();
  if (setup.voxel_driven) voxel_driven_.emplace(request, projector_->plan(), order);
  if (!plan.on_cpu()) require_kernels(plan);
  choose_memory(plan);
  projector_->upload(plan);
  if (slabs_) slabs_->upload(plan);
  if (voxel_driven_) voxel_driven_->upload(plan);
  order_ = plan.upload(std::span<const std::int32_t>(order), "order of the views");
  plan.fact("projector", projector_->plan().aligned ? "detector columns along the volume" : "any orientation");
  if (slabs_)
    plan.fact("slabs", std::to_string(slabs_->slabs()) + " of " + std::to_string(slabs_->height()) + " slices, " +
                           std::to_string(slabs_->views()) + " views at a time" +
                           (!on_host_       ? ""
                            : volume_stays_ ? ", projections in host memory"
                                            : ", volume and projections in host memory"));
}

void PieceProjector::require_kernels(const PlanContext& plan) const {
  Projector::require_kernels(plan);
  SlabProjector::require_kernels(plan);
  if (voxel_driven_) VoxelDriven::require_kernels(plan);
}

void PieceProjector::choose_memory(PlanContext& plan) {
  const Launcher launcher = launcher_of(plan);
  on_host_ = volume_stays_ = false;
  slabs_.reset();
  host_.reset();
  chunk_ = std::min(views_, voxel_driven_ ? voxel_driven_views : Projector::views_between_looks);
  const bool whole = !is_too_large(projector_->plan()) && memory_left_of(plan, false).holds(need_of(launcher));
  if (!whole && !fits_in_slabs(plan))
    refuse_memory(
        plan,
        "even in slabs of " + std::to_string(n_[0]) + " x " + std::to_string(n_[1]) + " x 1 voxels, " + setup_.method,
        need_of(launcher), on_host_, "");
  plan.scratch(work_bytes(launcher));
  if (on_host_) plan.host_scratch(stack_bytes());
}

bool PieceProjector::fits_in_slabs(PlanContext& plan) {
  const Launcher launcher = launcher_of(plan);
  const int views = std::min(std::clamp(views_ / 16, 8, Projector::views_between_looks), views_), nz = n_[2];
  const int thick = std::max(1, nz / least_height);
  for (const bool on_host : {false, true}) {
    if (on_host && plan.on_cpu()) break;
    on_host_ = on_host;
    if (on_host) {
      // Such a volume takes its memory there anyway. Projections are turned into the projector's order on the host.
      volume_stays_ = setup_.forward && std::strcmp(plan.input(setup_.input).device(), plan.device().name) == 0;
      if (!volume_stays_) plan.keep_on_host(setup_.input);
      plan.keep_on_host("output");
    }
    const int most = on_host || plan.on_cpu() ? nz : thick;
    for (std::int64_t slabs = 1; slabs <= most; slabs = slabs + 1 + slabs / 4)
      if (fits(memory_left_of(plan, on_host_).shared(), launcher, slabs, views)) return true;
  }
  return fits(memory_left_of(plan, on_host_), launcher, nz, 1);
}

/// With as many views in the projector's order as the host holds: the volume goes to the device once for each of such
/// chunks.
bool PieceProjector::fits(const MemoryLeft& left, const Launcher& launcher, std::int64_t slabs, int views) {
  host_.reset();
  slabs_.emplace(*projector_, static_cast<int>(slabs), views);
  if (voxel_driven_) voxel_driven_->cut(slabs_->slabs(), slabs_->height(), views);
  if (on_host_) host_.emplace(*slabs_, voxel_driven_ ? &*voxel_driven_ : nullptr, slice());
  chunk_ = on_host_ ? views_ : views;
  while (chunk_ > views && need_of(launcher).arrays > left.arrays) chunk_ = std::max(views, (chunk_ + 1) / 2);
  return !slabs_->is_too_large() && left.holds(need_of(launcher));
}

MemoryNeed PieceProjector::need_of(const Launcher& launcher) const {
  const std::uint64_t output =
      static_cast<std::uint64_t>(setup_.forward ? views_ * view_elements() : slice() * n_[2]) * sizeof(float);
  const std::uint64_t device =
      projector_->plan().lines.size() * sizeof(JosephLine) + static_cast<std::uint64_t>(views_) * sizeof(std::int32_t) +
      (slabs_ ? slabs_->table_bytes() : 0) + (voxel_driven_ ? voxel_driven_->table_bytes() : 0) + work_bytes(launcher);
  if (on_host_) return {output + stack_bytes(), device};
  return {output + device, output + device};
}

/// Of the node's device, the stack included where it lies there.
std::uint64_t PieceProjector::work_bytes(const Launcher& launcher) const {
  if (host_) return host_->work_bytes(launcher);
  const std::uint64_t stack = aligned(stack_bytes());
  if (slabs_)
    return stack + aligned(slabs_->work_bytes(launcher)) +
           (voxel_driven_ ? voxel_driven_->slab_scratch_bytes(launcher) : 0);
  if (voxel_driven_) return stack + voxel_driven_->slab_scratch_bytes(launcher);
  return stack + aligned(static_cast<std::uint64_t>(projector_->volume_floats()) * sizeof(float)) +
         projector_->scratch_bytes(launcher);
}

void PieceProjector::begin(const RunContext& run) {
  run_ = &run;
  volume_ = nullptr;
  launcher_ = stack_launcher_ = launcher_of(run);
  if (host_) {
    host_->use(run, launcher_, &*slabs_, projector_->lines(), run.scratch());
    stack_launcher_ = host_launcher(launcher_);
    stack_ = run.host_scratch<float>();
    return;
  }
  auto* at = run.scratch<char>();
  stack_ = reinterpret_cast<float*>(at);
  at += aligned(stack_bytes());
  if (slabs_) {
    slabs_->use(projector_->lines(), at);
    work_ = at + aligned(slabs_->work_bytes(launcher_));
    return;
  }
  work_ = at;
  if (voxel_driven_) return;
  volume_ = reinterpret_cast<float*>(at);
  work_ = at + aligned(static_cast<std::uint64_t>(projector_->volume_floats()) * sizeof(float));
}

void PieceProjector::forward(const RunContext& run, const float* voxels, ValueMap map, float* readings) {
  begin(run);
  if (slabs_)
    slabs_->take_through(map);
  else
    projector_->take_volume(launcher_, voxels, volume_, map);
  for (int first = 0; first < views_; first += chunk_) {
    say_progress(static_cast<double>(first) / views_);
    const int some = std::min(chunk_, views_ - first);
    if (host_)
      host_->forward(voxels, order_ + first, some, stack_);
    else if (slabs_)
      slabs_->forward(launcher_, voxels, order_ + first, some, stack_);
    else
      projector_->forward(launcher_, volume_, order_ + first, some, stack_, work_);
    projector_->give_views(stack_launcher_, stack_, readings + first * view_elements(), some);
  }
  run.check_cancelled();  // then the last projection may have been left
}

void PieceProjector::back(const RunContext& run, const float* readings, float* voxels) {
  begin(run);
  const int slabs = slabs_ ? slabs_->slabs() : 1;
  for (int slab = 0; slab < slabs; ++slab)
    for (int first = 0; first < views_; first += chunk_) {
      say_progress((static_cast<double>(first) / views_ + slab) / slabs);
      const int some = std::min(chunk_, views_ - first);
      if (some < views_ || slab == 0)
        projector_->take_views(stack_launcher_, readings + first * view_elements(), stack_, some);
      back_chunk(first, some, slab, voxels + (slabs_ ? slabs_->first_slice(slab) * slice() : 0));
    }
  run.check_cancelled();
  if (volume_ != nullptr) projector_->give_volume(launcher_, volume_, voxels);
}

void PieceProjector::back_chunk(int first, int count, int slab, float* slices) const {
  const bool goes_on = first > 0;
  const std::int32_t* order = order_ + first;
  if (host_)
    host_->back(projector_->plan(), stack_, order, first, count, slab, slices, goes_on);
  else if (voxel_driven_)
    voxel_driven_->back_slab(launcher_, projector_->plan(), stack_, first, count, slab,
                             slabs_ ? slabs_->height_of(slab) : n_[2], slices, work_, goes_on);
  else if (slabs_)
    slabs_->back(launcher_, stack_, order, count, slab, slices, goes_on);
  else
    projector_->back(launcher_, stack_, order, count, volume_, work_, goes_on);
}

}  // namespace isocenter::detail
