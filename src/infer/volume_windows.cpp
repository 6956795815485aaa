// What a network does to a volume: its axes and spacing changed, windows cut out, run and blended.
#include <algorithm>
#include <cmath>
#include <exception>

#include "core/launcher.hpp"
#include "infer/copy.hpp"
#include "infer/moments.hpp"
#include "infer/network_run.hpp"
#include "infer/resample.hpp"
#include "infer/volume_network.hpp"

namespace isocenter::infer {

namespace kernels = isocenter::detail;

const kernels::Launcher& VolumeNetwork::launcher(const RunContext& run) {
  if (!on_cpu_) launcher_ = kernels::launcher_of(run);
  return launcher_;
}

/// The volume with its axes in the network's order.
const float* VolumeNetwork::reorient(const kernels::Launcher& l, std::byte* scratch, const float* in) const {
  if (orientation_.as_it_comes()) return in;
  kernels::CopyKernel kernel{};
  kernel.in = in + steps_.first;
  kernel.out = at(scratch, oriented_at_);
  kernel.in_x = static_cast<int>(steps_.x);
  kernel.in_y = steps_.y;
  kernel.out_y = shape_.nx;
  kernel.axes_z = 1;
  kernel.extent_z[0] = shape_.nz;
  kernel.in_z[0] = steps_.z;
  kernel.out_z[0] = static_cast<std::int64_t>(shape_.nx) * shape_.ny;
  kernels::launch(l, kernel, shape_.nx, shape_.ny, shape_.nz);
  return kernel.out;
}

/// Along z, y, then x, so that each pass moves rows that are as long as possible.
const float* VolumeNetwork::resample(const kernels::Launcher& l, std::byte* scratch, const float* in) const {
  std::array<int, 3> size{shape_.nx, shape_.ny, shape_.nz * planes_};
  const float* from = in;
  for (const std::size_t k : {std::size_t{2}, std::size_t{1}, std::size_t{0}}) {
    if (!resampled_[k]) continue;
    kernels::ResampleKernel kernel{};
    kernel.in = from;
    kernel.out = at(scratch, resampled_at_[k]);
    // The axis is the kernel's column axis: what is faster is its channels, what is slower its items.
    std::int64_t channels = 1, items = 1;
    for (std::size_t i = 0; i < 3; ++i) (i < k ? channels : items) *= i == k ? 1 : size[i];
    kernel.channels = static_cast<int>(channels);
    const int outs = network_[k];
    for (int i = 0; i < 3; ++i) kernel.in_extent[i] = kernel.out_extent[i] = kernel.taps[i] = 1;
    kernel.in_extent[2] = size[k];
    kernel.out_extent[2] = outs;
    kernel.taps[2] = taps_[k];
    kernel.indices[2] = tap_indices_[k];
    kernel.weights[2] = tap_weights_[k];
    for (int i = 0; i < 2; ++i) {  // one tap at position 0 with weight 1
      kernel.indices[i] = reinterpret_cast<const std::int32_t*>(constants_ + 3);
      kernel.weights[i] = constants_ + 2;
    }
    kernels::launch(l, kernel, kernel.channels, outs, static_cast<int>(items));
    size[k] = outs;
    from = kernel.out;
  }
  return from;
}

/// Mean and standard deviation of the volume at the network's spacing, as the factors a and b of the intensity scale.
void VolumeNetwork::measure(const kernels::Launcher& l, std::byte* scratch, const float* in) const {
  const std::int64_t rows = static_cast<std::int64_t>(network_[1]) * network_[2] * planes_;
  const int blocks = static_cast<int>((rows + kernels::moments_block - 1) / kernels::moments_block);
  float* mean = at(scratch, moments_at_);
  const std::int64_t partial = static_cast<std::int64_t>(blocks) * network_[0];
  float* squares = mean + partial;
  kernels::launch(l, kernels::PartialMomentsKernel{in, mean, squares, rows, network_[0], blocks}, network_[0], blocks,
                  1);
  float* result = measured_factors(scratch);
  kernels::MergeMomentsKernel merge{mean, squares,     constants_ + 2, constants_ + 3, result, result + 1,
                                    rows, network_[0], blocks,         network_[0],    1e-12F};
  if (const std::int64_t run = kernels::moments_run(blocks, network_[0]); run > 0) {
    const std::int64_t runs = (blocks + run - 1) / run;
    float* run_mean = squares + partial;
    const kernels::CombineMomentsKernel combine{mean,        squares, run_mean,    run_mean + runs,      rows,
                                                network_[0], blocks,  network_[0], static_cast<int>(run)};
    kernels::launch(l, combine, 1, static_cast<int>(runs), 1);
    merge.mean = run_mean;
    merge.squares = run_mean + runs;
    merge.blocks = static_cast<int>(runs);
    merge.entry_pixels = run * kernels::moments_block;
    merge.entry_channels = network_[0];
  }
  kernels::launch(l, merge, 1, 1, 1);
}

float* VolumeNetwork::measured_factors(std::byte* scratch) const {
  return item_factors_ == nullptr ? at(scratch, factors_at_) : item_factors_ + 2 * item_;
}

const float* VolumeNetwork::factors(std::byte* scratch) const {
  return intensity_.kind == Intensity::Kind::z_score ? measured_factors(scratch) : constants_;
}

kernels::RingReader VolumeNetwork::reader(std::byte* scratch) const {
  return {at(scratch, ring_at_), {ring_[0], ring_[1], ring_[2]}, readings_[0], readings_[1], readings_[2]};
}

void VolumeNetwork::bind(std::byte* scratch) {
  if (bound_ == scratch) return;
  executor_->bind(bound_ = scratch);
  if (rest_ != nullptr) rest_->bind(scratch);
}

/// The volume on the network's grid, and how its windows are cut out.
kernels::ExtractWindowKernel VolumeNetwork::extraction(const kernels::Launcher& l, std::byte* scratch,
                                                       const float* in) const {
  kernels::ExtractWindowKernel extract{};
  extract.in = reorient(l, scratch, in);
  if (resamples()) extract.in = resample(l, scratch, extract.in);
  if (intensity_.kind == Intensity::Kind::z_score) measure(l, scratch, extract.in);
  extract.low = intensity_.kind == Intensity::Kind::clip ? static_cast<float>(intensity_.low) : -INFINITY;
  extract.high = intensity_.kind == Intensity::Kind::clip ? static_cast<float>(intensity_.high) : INFINITY;
  extract.a = factors(scratch);
  extract.b = extract.a + 1;
  for (std::size_t k = 0; k < 3; ++k) {
    extract.extent[k] = network_[k];
    extract.window[k] = window_[k];
  }
  return extract;
}

/// Blends the windows of a frame in their order, and reads the slices that are final.
template <class Read>
class VolumeNetwork::Blending {
 public:
  Blending(const VolumeNetwork& network, const kernels::Launcher& l, std::byte* scratch, Read read)
      : n_(network), l_(l), read_(std::move(read)) {
    blend_.ring = n_.at(scratch, n_.ring_at_);
    blend_.weight_x = n_.weights_[0];
    blend_.weight_y = n_.weights_[1];
    blend_.weight_z = n_.weights_[2];
    for (std::size_t k = 0; k < 3; ++k) {
      blend_.window[k] = n_.window_[k];
      blend_.extent[k] = n_.ring_[k];
    }
  }
  void add(std::int64_t window, const float* scores) {
    n_.place(window, blend_.start);
    const std::int64_t layer = n_.windows_ / static_cast<std::int64_t>(n_.starts_[2].size());
    const int end = blend_.start[2] + n_.window_[2];
    if (window % layer == 0) {
      const auto& ring = n_.ring_;
      const kernels::ClearRingKernel clear{blend_.ring, {ring[0], ring[1], ring[2]}, cleared_, end - cleared_};
      kernels::launch(l_, clear, ring[0], ring[1], n_.channels_ * clear.count);
      cleared_ = end;
    }
    blend_.scores = scores;
    kernels::launch(l_, blend_, n_.window_[0], n_.window_[1], n_.channels_ * n_.window_[2]);
    if ((window + 1) % layer == 0) read_final(static_cast<std::size_t>(window / layer) + 1);
  }

 private:
  /// Slices of the volume that read nothing which a window of the next depth, or a later one, still adds to.
  void read_final(std::size_t next) {
    const int final_slices = next == n_.starts_[2].size() ? n_.network_[2] : n_.starts_[2][next];
    int end = written_;
    while (end < n_.shape_.nz && n_.last_slice_[static_cast<std::size_t>(end)] < final_slices) ++end;
    if (end > written_) read_(written_, end - written_);
    written_ = end;
  }

  const VolumeNetwork& n_;
  const kernels::Launcher& l_;
  Read read_;
  kernels::BlendWindowKernel blend_{};
  int cleared_ = 0, written_ = 0;
};

/// Where a window begins; windows are counted along x, then y, then z.
void VolumeNetwork::place(std::int64_t window, int (&start)[3]) const {
  for (std::size_t k = 0; k < 3; ++k) {
    const auto count = static_cast<std::int64_t>(starts_[k].size());
    start[k] = starts_[k][static_cast<std::size_t>(window % count)];
    window /= count;
  }
}

template <class Read>
void VolumeNetwork::run_frame(const RunContext& run, std::byte* scratch, const float* in, int frame, int frames,
                              Read read) {
  const kernels::Launcher& l = launcher(run);
  bind(scratch);
  Blending<Read> blending(*this, l, scratch, std::move(read));
  if (items_.used()) return blending.add(0, reinterpret_cast<const float*>(item_outputs(run, scratch)));
  kernels::ExtractWindowKernel extract = extraction(l, scratch, in);
  for (std::int64_t first = 0, count = 0; first < windows_; first += count) {
    count = std::min(batch_, windows_ - first);
    Executor& network = count == batch_ ? *executor_ : *rest_;
    run.check_cancelled();
    for (std::int64_t i = 0; i < count; ++i) {
      place(first + i, extract.start);
      extract.out = at(scratch, network.inputs()[0].offset) + i * window_voxels();
      kernels::launch(l, extract, window_[0], window_[1], window_[2]);
    }
    run_network(run, network, scratch, l.stream);
    for (std::int64_t i = 0; i < count; ++i)
      blending.add(first + i, at(scratch, network.outputs()[0].offset) + i * channels_ * window_voxels());
    run.progress((frame + static_cast<double>(first + count) / static_cast<double>(windows_)) / frames);
  }
}

void VolumeNetwork::begin_frame(const RunContext& run, std::byte* scratch, const float* in) {
  const kernels::Launcher& l = launcher(run);
  bind(scratch);
  extract_ = extraction(l, scratch, in);
  extract_.extent[2] *= planes_;
}

/// A window of the frame that begin_frame took, for each channel of the network.
void VolumeNetwork::extract_channels(const kernels::Launcher& l, std::int64_t window, float* to) const {
  const bool measured = intensity_.kind == Intensity::Kind::z_score;
  for (int channel = 0; channel < inputs_; ++channel) {
    kernels::ExtractWindowKernel part = extract_;
    place(window, part.start);
    if (planes_ > 1) part.start[2] = part.start[2] * planes_ + channel;
    if (!measured) part.a = constants_ + 5 + 2 * channel;
    if (!measured) part.b = part.a + 1;
    part.out = to + channel * window_voxels();
    if (fit_ != ImageFit::letterbox) {
      kernels::launch(l, part, window_[0], window_[1], window_[2]);
      continue;
    }
    kernels::ExtractWindowKernel border = part;  // the nearest voxel of a volume of one
    border.in = constants_ + 4;
    std::fill_n(border.extent, 3, 1);
    kernels::launch(l, border, window_[0], window_[1], 1);
    part.out += static_cast<std::int64_t>(placed_[1]) * window_[0] + placed_[0];
    kernels::launch(l, part, network_[0], network_[1], 1);
  }
}

std::int64_t VolumeNetwork::run_batch(const RunContext& run, std::byte* scratch, std::int64_t first) {
  const kernels::Launcher& l = launcher(run);
  const std::int64_t count = std::min(batch_, windows_ - first);
  Executor& network = count == batch_ ? *executor_ : *rest_;
  run.check_cancelled();
  auto* to = at(scratch, network.inputs()[0].offset);
  for (std::int64_t i = 0; i < count; ++i) extract_channels(l, first + i, to + i * inputs_ * window_voxels());
  run_network(run, network, scratch, l.stream);
  return count;
}

void VolumeNetwork::to_volume(std::int64_t window, std::array<double, 3>& low, std::array<double, 3>& high) const {
  int start[3];
  place(window, start);
  const std::array<int, 3> size{shape_.nx, shape_.ny, shape_.nz};
  const auto from_low = low, from_high = high;
  for (std::size_t k = 0; k < 3; ++k) {
    const auto axis = static_cast<std::size_t>(orientation_.axis[k]);
    const double first = start[k] - placed_[k], a = (first + from_low[k]) / ratio_[k],
                 b = (first + from_high[k]) / ratio_[k];
    low[axis] = orientation_.flipped[k] ? size[k] - b : a;
    high[axis] = orientation_.flipped[k] ? size[k] - a : b;
  }
}

void VolumeNetwork::take_item(const RunContext& run, std::byte* scratch, const float* in) {
  auto* to = reinterpret_cast<float*>(items_.take());
  item_ = items_.taken();
  if (gives_tables_) {
    begin_frame(run, scratch, in);
    return extract_channels(launcher_, 0, to);
  }
  const kernels::Launcher& l = launcher(run);
  kernels::ExtractWindowKernel extract = extraction(l, scratch, in);
  extract.out = to;
  kernels::launch(l, extract, window_[0], window_[1], window_[2]);
}

const std::byte* VolumeNetwork::item_outputs(const RunContext& run, std::byte* scratch) {
  void* const stream = launcher(run).stream;
  bind(scratch);
  return items_.give(run, scratch, *executor_, *rest_, stream);
}

void VolumeNetwork::run_labels(const RunContext& run, std::byte* scratch, const float* in, std::uint8_t* out,
                               float threshold, int frame, int frames) {
  kernels::ReadLabelsKernel kernel{reader(scratch), out, steps_, channels_, 0, threshold};
  run_frame(run, scratch, in, frame, frames, [&](int first, int count) {
    kernel.first = first;
    kernels::launch(launcher_, kernel, shape_.nx, shape_.ny, count);
  });
}

void VolumeNetwork::run_scores(const RunContext& run, std::byte* scratch, const float* in, float* out,
                               bool undo_intensity, int frame, int frames) {
  item_ = run.part();
  const float* scale = undo_intensity ? factors(scratch) : nullptr;
  kernels::ReadScoresKernel kernel{
      reader(scratch), out, steps_, shape_.frame_voxels(), 0, 0, scale, scale == nullptr ? nullptr : scale + 1};
  run_frame(run, scratch, in, frame, frames, [&](int first, int count) {
    kernel.first = first;
    kernel.count = count;
    kernels::launch(launcher_, kernel, shape_.nx, shape_.ny, channels_ * count);
  });
}

}  // namespace isocenter::infer
