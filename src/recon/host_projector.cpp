#include "recon/host_projector.hpp"

#include <algorithm>

#include "recon/vector_kernels.hpp"

namespace isocenter::detail {

namespace {
constexpr std::uint64_t aligned(std::uint64_t bytes) { return (bytes + 255) / 256 * 256; }
}  // namespace

std::uint64_t HostProjector::work_bytes(const Launcher& launcher) const {
  return aligned(slabs_->work_bytes(launcher)) + aligned(slab_bytes(0)) + aligned(2 * bytes_of(slabs_->views())) +
         (voxel_driven_ == nullptr ? 0 : voxel_driven_->slab_scratch_bytes(launcher));
}

void HostProjector::use(const RunContext& run, const Launcher& launcher, SlabProjector* slabs, const JosephLine* lines,
                        void* work) {
  run_ = &run;
  may_stop_ = true;
  launcher_ = launcher;
  slabs_ = slabs;
  slabs->use(lines, work);
  char* at = static_cast<char*>(work) + aligned(slabs->work_bytes(launcher));
  dense_ = reinterpret_cast<float*>(at);
  at += aligned(slab_bytes(0));
  buffers_ = reinterpret_cast<float*>(at);
  voxel_driven_work_ = at + aligned(2 * bytes_of(slabs->views()));
}

void HostProjector::forward(const float* volume, const std::int32_t* order, int count, float* out) const {
  const int views = slabs_->views(), groups = (count + views - 1) / views;
  for (int slab = 0; slab < slabs_->slabs() && !stops(); ++slab) {
    if (volume != nullptr) run_->copy(dense_, volume + slabs_->first_slice(slab) * slice_, slab_bytes(slab));
    slabs_->hold(launcher_, slab, volume == nullptr ? nullptr : dense_);
    // What the slabs before gave comes to be added to.
    const auto fetch = [&](int g) {
      if (slab > 0 && g < groups)
        run_->copy(buffer(g), out + slabs_->view_floats(g * views), bytes_of(std::min(views, count - g * views)),
                   ISOCENTER_STREAM_BESIDE);
    };
    fetch(0);
    run_->follow(ISOCENTER_STREAM_MAIN);
    for (int g = 0; g < groups && !stops(); ++g) {
      const int begin = g * views, some = std::min(views, count - begin);
      float* sum = buffer(g);
      slabs_->forward_held(launcher_, slab, order + begin, some, slab == 0 ? sum : slabs_->added());
      if (slab > 0)
        launch_flat(launcher_, PointwiseKernel{sum, sum, slabs_->added(), Pointwise::add}, slabs_->view_floats(some));
      fetch(g + 1);
      run_->wait(ISOCENTER_STREAM_BESIDE);  // the next group's buffer is filled, and given from: the last one is done
      run_->follow(ISOCENTER_STREAM_BESIDE);
      run_->copy(out + slabs_->view_floats(begin), sum, bytes_of(some), ISOCENTER_STREAM_BESIDE);
    }
  }
  wait();
}

void HostProjector::back(const ProjectorPlan& plan, const float* in, const std::int32_t* order, std::int64_t first,
                         int count, int slab, float* slices, bool goes_on) const {
  const int views = slabs_->views(), groups = (count + views - 1) / views;
  if (goes_on) {
    run_->copy(dense_, slices, slab_bytes(slab));
    if (voxel_driven_ == nullptr) slabs_->hold(launcher_, slab, dense_);
  }
  const auto fetch = [&](int g) {
    if (in != nullptr && g < groups)
      run_->copy(buffer(g), in + slabs_->view_floats(g * views), bytes_of(std::min(views, count - g * views)),
                 ISOCENTER_STREAM_BESIDE);
  };
  const float* ones = in == nullptr ? slabs_->ones(launcher_, std::min(views, count)) : nullptr;
  fetch(0);
  for (int g = 0; g < groups; ++g) {
    run_->wait(ISOCENTER_STREAM_BESIDE);  // this group is there, and the one before the last is done
    if (stops()) break;
    run_->follow(ISOCENTER_STREAM_BESIDE);  // what the last one is read from is not written before it is done
    fetch(g + 1);
    const int begin = g * views, some = std::min(views, count - begin);
    const float* rays = in == nullptr ? ones : buffer(g);
    const bool adds = goes_on || g > 0;
    if (voxel_driven_ == nullptr)
      slabs_->back_held(launcher_, slab, order + begin, some, rays, adds);
    else
      voxel_driven_->back_slab(launcher_, plan, rays, first + begin, some, slab, slabs_->height_of(slab), dense_,
                               voxel_driven_work_, adds);
  }
  if (voxel_driven_ == nullptr) slabs_->give(launcher_, slab, dense_);
  run_->copy(slices, dense_, slab_bytes(slab));
  wait();
}

void HostProjector::wait() const {
  run_->wait();
  run_->wait(ISOCENTER_STREAM_BESIDE);
}

}  // namespace isocenter::detail
