// A planned bundle over a volume: its transforms, its windows, and the labels.
#include <algorithm>
#include <cmath>

#include "core/launcher.hpp"
#include "infer/bundle_network.hpp"
#include "infer/copy.hpp"
#include "infer/network_run.hpp"
#include "infer/resample.hpp"
#include "infer/whole_scores.hpp"
#include "volume/parts.hpp"

namespace isocenter::infer {

namespace kernels = isocenter::detail;

const kernels::Launcher& BundleNetwork::launcher(const RunContext& run) {
  if (!on_cpu_) launcher_ = kernels::launcher_of(run);
  return launcher_;
}

/// Orientation, intensities, spacing, the foreground and padding; gives the volume that windows are cut from.
const float* BundleNetwork::prepare(const RunContext& run, const kernels::Launcher& l, std::byte* scratch,
                                    const float* in) {
  kernels::CopyKernel turn{};
  turn.in = in + steps_.first;
  turn.out = at(scratch, oriented_at_);
  turn.in_x = static_cast<int>(steps_.x);
  turn.in_y = steps_.y;
  turn.out_y = shape_.nx;
  turn.axes_z = 1;
  turn.extent_z[0] = shape_.nz;
  turn.in_z[0] = steps_.z;
  turn.out_z[0] = static_cast<std::int64_t>(shape_.nx) * shape_.ny;
  kernels::launch(l, turn, shape_.nx, shape_.ny, shape_.nz);
  float* volume = turn.out;

  for (const Pass& pass : passes_) {
    if (pass.crops) {
      lay_out(find_foreground(run, volume, pass.size, pass.margin, bounds_of_slice_));
      continue;
    }
    if (pass.scales) {
      kernels::scale_intensity(l, pass.scaling, volume, volume, pass.size[0], pass.size[1], pass.size[2],
                               scratch + work_at_, pass.scale);
      continue;
    }
    kernels::ResampleKernel kernel{};
    kernel.in = volume;
    kernel.out = at(scratch, pass.at);
    // The axis is the kernel's column axis: what is faster is its channels, what is slower its items.
    std::int64_t channels = 1, items = 1;
    for (int i = 0; i < 3; ++i) {
      if (i != pass.axis) (i < pass.axis ? channels : items) *= pass.size[static_cast<std::size_t>(i)];
      kernel.in_extent[i] = kernel.out_extent[i] = kernel.taps[i] = 1;
      kernel.indices[i] = reinterpret_cast<const std::int32_t*>(constants_ + 1);
      kernel.weights[i] = constants_;
    }
    kernel.channels = static_cast<int>(channels);
    kernel.in_extent[2] = pass.size[static_cast<std::size_t>(pass.axis)];
    kernel.out_extent[2] = pass.taps_to;
    kernel.taps[2] = 2;
    kernel.indices[2] = pass.index;
    kernel.weights[2] = pass.weight;
    kernels::launch(l, kernel, kernel.channels, pass.taps_to, static_cast<int>(items));
    volume = kernel.out;
  }
  if (padding_[0] == nullptr) return volume;
  kernels::CopyKernel pad{};
  pad.in = volume;
  pad.out = at(scratch, padded_at_);
  pad.in_x = 1;
  pad.table_x = padding_[0];
  pad.in_y = size_[0];
  pad.out_y = padded_[0];
  pad.table_y = padding_[1];
  pad.axes_z = 1;
  pad.extent_z[0] = padded_[2];
  pad.in_z[0] = static_cast<std::int64_t>(size_[0]) * size_[1];
  pad.out_z[0] = static_cast<std::int64_t>(padded_[0]) * padded_[1];
  pad.table_z[0] = padding_[2];
  kernels::launch(l, pad, padded_[0], padded_[1], padded_[2]);
  return pad.out;
}

void BundleNetwork::bind(std::byte* scratch) {
  std::byte* arena = scratch + arena_at_;
  if (bound_ == arena) return;
  executor_->bind(bound_ = arena);
  if (rest_ != nullptr) rest_->bind(arena);
}

/// A window of the prepared volume, whose place and goal are still to be set.
kernels::ExtractWindowKernel BundleNetwork::extraction(const float* volume) const {
  kernels::ExtractWindowKernel extract{};
  extract.in = volume;
  extract.low = -INFINITY;
  extract.high = INFINITY;
  extract.a = constants_;
  extract.b = constants_ + 1;
  for (std::size_t k = 0; k < 3; ++k) {
    extract.extent[k] = padded_[k];
    extract.window[k] = window_[k];
  }
  return extract;
}

/// The weighted sum of what score(start) gives for each window.
template <class Score>
void BundleNetwork::blend(const kernels::Launcher& l, std::byte* scratch, const Score& score) const {
  kernels::AddWindowKernel add{};
  add.weights = importance_;
  add.scores = at(scratch, scores_at_);
  add.channels = channels_;
  for (std::size_t k = 0; k < 3; ++k) {
    add.extent[k] = padded_[k];
    add.window[k] = window_[k];
  }
  const int scores_z = (channels_ + 1) * padded_[2];
  kernels::launch(l, kernels::ClearRingKernel{add.scores, {padded_[0], padded_[1], scores_z}, 0, scores_z}, padded_[0],
                  padded_[1], scores_z);
  for (const int z : starts_[2])
    for (const int y : starts_[1])
      for (const int x : starts_[0]) {
        const int start[3] = {x, y, z};
        std::copy(start, start + 3, add.start);
        add.window_scores = score(start);
        kernels::launch(l, add, window_[0], window_[1], (channels_ + 1) * window_[2]);
      }
}

void BundleNetwork::run_windows(const RunContext& run, std::byte* scratch, const float* in, int frame, int frames) {
  const kernels::Launcher& l = launcher_;
  std::byte* const arena = scratch + arena_at_;
  kernels::ExtractWindowKernel extract = extraction(prepare(run, l, scratch, in));
  extract.out = at(arena, executor_->inputs()[0].offset);
  const std::size_t total = starts_[0].size() * starts_[1].size() * starts_[2].size();
  std::size_t done = 0;
  blend(l, scratch, [&](const int(&start)[3]) {
    run.check_cancelled();
    if (done > 0) run.progress((frame + static_cast<double>(done) / static_cast<double>(total)) / frames);
    std::copy(start, start + 3, extract.start);
    kernels::launch(l, extract, window_[0], window_[1], window_[2]);
    run_network(run, *executor_, arena, l.stream);
    ++done;
    return at(arena, executor_->outputs()[0].offset);
  });
  run.progress((frame + 1.0) / frames);
}

void BundleNetwork::take_item(const RunContext& run, std::byte* scratch, const float* in) {
  const kernels::Launcher& l = launcher(run);
  auto* to = reinterpret_cast<float*>(items_.take());
  kernels::ExtractWindowKernel extract = extraction(prepare(run, l, scratch, in));
  item_boxes_[static_cast<std::size_t>(items_.taken())] = left_;
  extract.out = to;
  kernels::launch(l, extract, window_[0], window_[1], window_[2]);
}

void BundleNetwork::run(const RunContext& run, std::byte* scratch, const float* in, std::uint8_t* out, int frame,
                        int frames) {
  const kernels::Launcher& l = launcher(run);
  bind(scratch);
  if (!items_.used()) {
    run_windows(run, scratch, in, frame, frames);
  } else {
    const auto* scores =
        reinterpret_cast<const float*>(items_.give(run, scratch + arena_at_, *executor_, *rest_, l.stream));
    if (crops_) lay_out(item_boxes_[static_cast<std::size_t>(run.part())]);
    blend(l, scratch, [&](const int(&)[3]) { return scores; });
  }
  read_labels(l, scratch, out);
}

void BundleNetwork::read_labels(const kernels::Launcher& l, std::byte* scratch, std::uint8_t* out) const {
  float* scores = at(scratch, scores_at_);
  const kernels::FinishScoresKernel finish{scores, {padded_[0], padded_[1], padded_[2]}, channels_, recipe_.activation};
  kernels::launch(l, finish, padded_[0], padded_[1], padded_[2]);
  // MONAI's threshold includes its limit.
  const float limit = std::nextafter(static_cast<float>(recipe_.threshold.value_or(0)), -INFINITY);
  const kernels::RingReader reader{
      scores, {padded_[0], padded_[1], padded_[2]}, readings_[0], readings_[1], readings_[2]};
  kernels::launch(l, kernels::ReadLabelsKernel{reader, out, steps_, channels_, 0, limit}, shape_.nx, shape_.ny,
                  shape_.nz);
  if (recipe_.filled > 0 && recipe_.filled_first) fill_holes(l, scratch, out);
  if (recipe_.largest > 0) {
    const kernels::PartGrid grid{original_.nx, original_.ny, original_.nz, out, kernels::PartRule::equal_labels};
    kernels::keep_parts(l, grid, reinterpret_cast<std::int32_t*>(scratch + parents_at_), recipe_.connectivity,
                        recipe_.largest, 1, limits_, out);
  }
  if (recipe_.filled > 0 && !recipe_.filled_first) fill_holes(l, scratch, out);
  if (recipe_.smallest > 0) {
    const kernels::PartGrid grid{original_.nx, original_.ny, original_.nz, out,
                                 recipe_.small_of_all ? kernels::PartRule::any_label : kernels::PartRule::equal_labels};
    kernels::keep_parts(l, grid, reinterpret_cast<std::int32_t*>(scratch + parents_at_), recipe_.small_connectivity, 0,
                        recipe_.smallest, nullptr, out);
  }
}

/// What lies within a label goes to it, other labels too, one label after the other.
void BundleNetwork::fill_holes(const kernels::Launcher& l, std::byte* scratch, std::uint8_t* out) const {
  auto* parents = reinterpret_cast<std::int32_t*>(scratch + parents_at_);
  for (const int label : recipe_.filled_labels) {
    const kernels::PartGrid grid{original_.nx, original_.ny, original_.nz, out, kernels::PartRule::outside, label};
    kernels::find_parts(l, grid, parents, recipe_.filled, false);
    kernels::launch(l, kernels::NoteHolesKernel{grid, parents, false}, grid.nx, grid.ny, grid.nz);
    kernels::launch(l, kernels::FillHolesKernel{grid, parents, out}, grid.nx, grid.ny, grid.nz);
  }
}

}  // namespace isocenter::infer
