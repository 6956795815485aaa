#include "infer/volume_network.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/launcher.hpp"
#include "infer/caffe/caffe_model.hpp"
#include "infer/copy.hpp"
#include "infer/moments.hpp"
#include "infer/network_plan.hpp"
#include "infer/resample.hpp"
#include "infer/resample_taps.hpp"
#include "infer/threads.hpp"
#include "infer/window_plan.hpp"

namespace isocenter::infer {
namespace {

namespace kernels = isocenter::detail;

constexpr double same_spacing = 0.02;  // spacings that differ by less are taken as equal
constexpr const char* axis_names = "xyz";
constexpr double warned_angle_deg = 15;   // beyond what patients lie askew
constexpr double refused_angle_deg = 40;  // near 45 degrees two axes fit equally well

std::int64_t padded(std::int64_t bytes) { return (bytes + 255) / 256 * 256; }
std::int64_t floats(std::int64_t count) { return padded(count * static_cast<std::int64_t>(sizeof(float))); }

std::string text(const std::array<int, 3>& v) {
  return std::to_string(v[0]) + " x " + std::to_string(v[1]) + " x " + std::to_string(v[2]);
}
std::string text(double v) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%g", v);
  return buffer;
}

/// The network takes one volume: one input with one channel and two or three spatial axes.
bool check_input(const OnnxModel& model) {
  if (model.inputs.size() != 1)
    throw Failure(
        ErrorCode::unsupported,
        model.source + ": the model has " + std::to_string(model.inputs.size()) + " inputs, and one volume is given",
        "export it with one input");
  const OnnxPort& port = model.inputs[0];
  const std::size_t rank = port.shape ? port.shape->size() : 5;
  if (port.type != ElementType::f32 || (rank != 4 && rank != 5))
    throw Failure(ErrorCode::unsupported,
                  model.source + ": input '" + port.name + "' has " + std::to_string(rank) + " axes of " +
                      name_of(port.type) + ", and float32 (1, 1, z, y, x) or (1, 1, y, x) is needed",
                  "export the model that way");
  for (std::size_t k = 0; k < 2 && port.shape; ++k)
    if (const std::int64_t e = (*port.shape)[k].extent; e > 1)
      throw Failure(ErrorCode::unsupported,
                    model.source + ": input '" + port.name + "' has " + std::to_string(e) +
                        (k == 0 ? " items" : " channels") + ", and one volume gives 1",
                    "export a model for one volume with one channel");
  return rank == 4;
}

}  // namespace

void VolumeNetwork::plan(PlanContext& plan, const kernels::GridShape& shape, const VolumeNetworkOptions& options) {
  std::string hash;
  model_ = read_model(options.model, &hash);
  card_ = read_model_card(model_.metadata, model_.source);
  intensity_ = options.intensity.empty() ? card_.intensity.value_or(Intensity{})
                                         : parse_intensity(options.intensity, "intensity");
  flat_ = check_input(model_);
  on_cpu_ = plan.on_cpu();
  plan_orientation(plan, shape);
  plan_grid(options);
  plan_executor(plan, options, hash);
  plan_tables(plan, options.overlap);
  plan_scratch();
  require_memory(plan);
  state_facts(plan, hash);
  plan.require_kernel<kernels::ExtractWindowKernel>();
  plan.require_kernel<kernels::BlendWindowKernel>();
  plan.require_kernel<kernels::ReadLabelsKernel>();
  model_ = {};  // the weights are in the executor now
}

/// The volume's axes in the order and sense that the network was trained on; labels and scores go back the same way.
void VolumeNetwork::plan_orientation(PlanContext& plan, const kernels::GridShape& shape) {
  const std::string axes = !card_.axes.empty() ? card_.axes : card_.spacing_mm && !flat_ ? "LPS" : "any";
  orientation_ = axes == "any" ? Orientation{} : orient(shape.geometry, axes);
  const std::string found = "input 'input' has axes that are " + text(std::round(orientation_.angle_deg)) +
                            " degrees off the patient's (LPS), and " + model_.source + " takes volumes along " + axes;
  if (orientation_.angle_deg > refused_angle_deg)
    throw Failure(ErrorCode::bad_data, found + ", with at most " + text(refused_angle_deg) + " degrees between",
                  "resample the volume along the patient's axes first (multi_planar_reformat)");
  if (orientation_.angle_deg > warned_angle_deg)
    plan.warn(found, "look at the result, or resample the volume along the patient's axes first");
  shape_ = oriented(shape, orientation_);

  steps_ = voxel_steps(shape, orientation_);
  if (orientation_.as_it_comes()) return;
  const std::int64_t slice = static_cast<std::int64_t>(shape.nx) * shape.ny;
  if (slice > INT32_MAX / 8)
    throw Failure(ErrorCode::unsupported,
                  "input 'input' has slices of " + std::to_string(slice) + " voxels, and " + model_.source +
                      " needs its axes in another order, which goes for slices of up to " +
                      std::to_string(INT32_MAX / 8),
                  "resample or crop the volume first");
  plan.require_kernel<kernels::CopyKernel>();
  plan.fact("axes", nearest_axes(shape.geometry) + " taken as " + axes);
}

void VolumeNetwork::plan_grid(const VolumeNetworkOptions& options) {
  choose_window(options);
  const std::array<int, 3> size{shape_.nx, shape_.ny, shape_.nz};
  for (std::size_t k = 0; k < 3; ++k) {
    const double spacing = shape_.geometry.spacing_mm[k];
    if (!(spacing > 0))
      throw Failure(ErrorCode::bad_data,
                    std::string("input 'input' has a spacing of ") + text(spacing) + " mm along " + axis_names[k],
                    "check PixelSpacing (0028,0030) and the slice positions of the series");
    const bool slices = flat_ && k == 2;  // a 2-D network sees each slice as it is
    ratio_[k] = card_.spacing_mm && !slices ? spacing / (*card_.spacing_mm)[k] : 1.0;
    resampled_[k] = std::fabs(ratio_[k] - 1.0) > same_spacing;
    if (!resampled_[k]) ratio_[k] = 1.0;
    network_[k] = std::max(1, static_cast<int>(std::lround(size[k] * ratio_[k])));
    if (network_[k] > 65535)
      throw Failure(
          ErrorCode::invalid_argument,
          "at the model's spacing the volume has " + std::to_string(network_[k]) + " voxels along " + axis_names[k],
          "check the spacing of the volume and of the model");
  }
}

void VolumeNetwork::choose_window(const VolumeNetworkOptions& options) {
  const OnnxPort& port = model_.inputs[0];
  const std::size_t spatial = flat_ ? 2 : 3;
  window_ = {1, 1, 1};
  if (!options.window.empty() && options.window.size() != 3)
    throw Failure(ErrorCode::invalid_argument,
                  "window has " + std::to_string(options.window.size()) + " numbers, and three (x, y, z) are needed",
                  "write 'window: 96, 96, 96', for example");
  for (std::size_t k = 0; k < spatial; ++k) {
    const std::int64_t fixed = port.shape ? (*port.shape)[2 + spatial - 1 - k].extent : -1;
    if (!options.window.empty())
      window_[k] = static_cast<int>(options.window[k]);
    else if (card_.window)
      window_[k] = (*card_.window)[k];
    else if (fixed > 0)
      window_[k] = static_cast<int>(fixed);
    else
      throw Failure(
          ErrorCode::invalid_argument,
          model_.source + ": neither the model nor its metadata 'isocenter.window' says how large its input is",
          "set the parameter window, for example to 96, 96, 96");
  }
  const int depth =
      !options.window.empty() ? static_cast<int>(options.window[2]) : (card_.window ? (*card_.window)[2] : 1);
  if (flat_ && depth != 1)
    throw Failure(ErrorCode::invalid_argument,
                  "window is " + std::to_string(depth) + " deep, and the model takes single slices",
                  "set its third number to 1");
}

void VolumeNetwork::plan_executor(PlanContext& plan, const VolumeNetworkOptions& options, const std::string& hash) {
  Shape shape{1, 1};
  if (!flat_) shape.push_back(window_[2]);
  shape.insert(shape.end(), {window_[1], window_[0]});
  if (on_cpu_) launcher_ = cpu_launcher(std::max(1, plan.launcher().concurrency));
  executor_ =
      plan_network(plan, model_, shape, {.precision = options.precision, .digest = hash, .engine = options.engine});
  channels_ = static_cast<int>(executor_->outputs()[0].shape[1]);
}

void VolumeNetwork::plan_tables(PlanContext& plan, double overlap) {
  const std::array<int, 3> size{shape_.nx, shape_.ny, shape_.nz};
  for (std::size_t k = 0; k < 3; ++k) {
    if (k == 2) last_slice_.clear();
    starts_[k] = window_starts(network_[k], window_[k], overlap);
    ring_[k] = std::max(network_[k], window_[k]);
    weights_[k] = plan.upload<float>(window_weights(window_[k]), "window weights");
    const AxisReading reading =
        read_axis(size[k], network_[k], ratio_[k], weight_sums(network_[k], window_[k], starts_[k]));
    readings_[k] = {plan.upload<std::int32_t>(reading.index, "score positions"),
                    plan.upload<float>(reading.weight, "score weights")};
    if (k == 2)
      for (std::size_t i = 1; i < reading.index.size(); i += 2) last_slice_.push_back(reading.index[i]);
    if (!resampled_[k]) continue;
    Interpolation linear;
    linear.mode = "linear";
    linear.coordinates = "half_pixel";
    linear.antialias = true;
    const AxisTaps taps = interpolation_taps(linear, size[k], network_[k], ratio_[k]);
    taps_[k] = taps.taps;
    tap_indices_[k] = plan.upload<std::int32_t>(taps.indices, "resampling positions");
    tap_weights_[k] = plan.upload<float>(taps.weights, "resampling weights");
  }
  // A slice below the newest window may still be read together with the slice above it: one more than the window's
  // depth.
  ring_[2] = std::min(ring_[2], window_[2] + 1);
  const double a = intensity_.kind == Intensity::Kind::clip
                       ? (intensity_.to - intensity_.from) / (intensity_.high - intensity_.low)
                       : 1.0;
  const double b = intensity_.kind == Intensity::Kind::clip ? intensity_.from - a * intensity_.low : 0.0;
  constants_ = plan.upload<float>(std::vector<float>{static_cast<float>(a), static_cast<float>(b), 1.0F, 0.0F},
                                  "intensity scale");
}

void VolumeNetwork::plan_scratch() {
  const std::int64_t nx = shape_.nx, ny = shape_.ny;
  scratch_bytes_ = padded(executor_->summary().arena_bytes);
  const auto reserve = [&](std::int64_t bytes) {
    const std::int64_t at = scratch_bytes_;
    scratch_bytes_ += bytes;
    return at;
  };
  if (!orientation_.as_it_comes()) oriented_at_ = reserve(floats(shape_.frame_voxels()));
  ring_at_ = reserve(floats(static_cast<std::int64_t>(channels_) * ring_[0] * ring_[1] * ring_[2]));
  if (resampled_[2]) resampled_at_[2] = reserve(floats(nx * ny * network_[2]));
  if (resampled_[1]) resampled_at_[1] = reserve(floats(nx * network_[1] * network_[2]));
  if (resampled_[0])
    resampled_at_[0] = reserve(floats(static_cast<std::int64_t>(network_[0]) * network_[1] * network_[2]));
  factors_at_ = reserve(floats(2));
  const std::int64_t rows = static_cast<std::int64_t>(network_[1]) * network_[2];
  const std::int64_t blocks = (rows + kernels::moments_block - 1) / kernels::moments_block;
  if (intensity_.kind == Intensity::Kind::z_score) moments_at_ = reserve(2 * floats(blocks * network_[0]));
}

/// The arena grows with the window's voxels; a window that would fit is named in steps that networks can halve.
void VolumeNetwork::require_memory(const PlanContext& plan) const {
  constexpr int step = 16;
  const auto left = static_cast<double>(plan.memory_left()), all = static_cast<double>(scratch_bytes_);
  if (all <= left) return;
  const auto arena = static_cast<double>(executor_->summary().arena_bytes);
  const double part = (left - (all - arena)) / arena;
  const OnnxPort& port = model_.inputs[0];
  bool free = port.shape.has_value();
  Extents smaller = window_;
  double voxels = 1;
  for (std::size_t k = 0; k < (flat_ ? 2U : 3U); ++k) {
    free = free && (*port.shape)[port.shape->size() - 1 - k].extent < 0;
    smaller[k] = static_cast<int>(window_[k] * std::pow(std::max(part, 0.0), flat_ ? 1.0 / 2 : 1.0 / 3)) / step * step;
    voxels *= smaller[k];
  }
  const auto megabytes = [](double bytes) { return text(std::ceil(bytes * 1e-6)) + " MB"; };
  throw Failure(ErrorCode::out_of_memory,
                model_.source + ": a window of " + text(window_) + " needs " + megabytes(all) + " to work in, and " +
                    megabytes(left) + " are left of the budget on '" + plan.device().name + "'",
                free && voxels > 0 ? "raise the budget; window = " + text(smaller) + " would fit"
                                   : "raise the budget by " + megabytes(all - left));
}

void VolumeNetwork::state_facts(PlanContext& plan, const std::string& hash) const {
  state_network(plan, model_, hash, executor_->summary());
  plan.fact("window", text(window_));
  plan.fact("windows", std::to_string(starts_[0].size() * starts_[1].size() * starts_[2].size()));
  plan.fact("network_grid", text(network_));
}

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
  std::array<int, 3> size{shape_.nx, shape_.ny, shape_.nz};
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
  const std::int64_t rows = static_cast<std::int64_t>(network_[1]) * network_[2];
  const int blocks = static_cast<int>((rows + kernels::moments_block - 1) / kernels::moments_block);
  float* mean = at(scratch, moments_at_);
  float* squares = mean + static_cast<std::int64_t>(blocks) * network_[0];
  kernels::launch(l, kernels::PartialMomentsKernel{in, mean, squares, rows, network_[0], blocks}, network_[0], blocks,
                  1);
  float* result = at(scratch, factors_at_);
  kernels::launch(l,
                  kernels::MergeMomentsKernel{mean, squares, constants_ + 2, constants_ + 3, result, result + 1, rows,
                                              network_[0], blocks, network_[0], 1e-12F},
                  1, 1, 1);
}

const float* VolumeNetwork::factors(std::byte* scratch) const {
  return intensity_.kind == Intensity::Kind::z_score ? at(scratch, factors_at_) : constants_;
}

kernels::RingReader VolumeNetwork::reader(std::byte* scratch) const {
  return {at(scratch, ring_at_), {ring_[0], ring_[1], ring_[2]}, readings_[0], readings_[1], readings_[2]};
}

template <class Read>
void VolumeNetwork::run_frame(const RunContext& run, std::byte* scratch, const float* in, int frame, int frames,
                              Read read) {
  const kernels::Launcher& l = launcher(run);
  if (bound_ != scratch) executor_->bind(bound_ = scratch);
  const float* volume = reorient(l, scratch, in);
  if (resamples()) volume = resample(l, scratch, volume);
  if (intensity_.kind == Intensity::Kind::z_score) measure(l, scratch, volume);

  kernels::ExtractWindowKernel extract{};
  kernels::BlendWindowKernel blend{};
  extract.in = volume;
  extract.out = reinterpret_cast<float*>(scratch + executor_->inputs()[0].offset);
  extract.low = intensity_.kind == Intensity::Kind::clip ? static_cast<float>(intensity_.low) : -INFINITY;
  extract.high = intensity_.kind == Intensity::Kind::clip ? static_cast<float>(intensity_.high) : INFINITY;
  extract.a = factors(scratch);
  extract.b = extract.a + 1;
  blend.scores = reinterpret_cast<const float*>(scratch + executor_->outputs()[0].offset);
  blend.ring = at(scratch, ring_at_);
  blend.weight_x = weights_[0];
  blend.weight_y = weights_[1];
  blend.weight_z = weights_[2];
  for (std::size_t k = 0; k < 3; ++k) {
    extract.extent[k] = network_[k];
    extract.window[k] = blend.window[k] = window_[k];
    blend.extent[k] = ring_[k];
  }

  const std::size_t total = starts_[0].size() * starts_[1].size() * starts_[2].size();
  std::size_t done = 0;
  int cleared = 0, written = 0;
  for (std::size_t iz = 0; iz < starts_[2].size(); ++iz) {
    const int z = starts_[2][iz];
    kernels::ClearRingKernel clear{blend.ring, {ring_[0], ring_[1], ring_[2]}, cleared, z + window_[2] - cleared};
    kernels::launch(l, clear, ring_[0], ring_[1], channels_ * clear.count);
    cleared = z + window_[2];
    for (const int y : starts_[1])
      for (const int x : starts_[0]) {
        run.check_cancelled();
        extract.start[0] = blend.start[0] = x;
        extract.start[1] = blend.start[1] = y;
        extract.start[2] = blend.start[2] = z;
        kernels::launch(l, extract, window_[0], window_[1], window_[2]);
        executor_->run(l.stream);
        kernels::launch(l, blend, window_[0], window_[1], channels_ * window_[2]);
        ++done;
        run.progress((frame + static_cast<double>(done) / static_cast<double>(total)) / frames);
      }
    // Slices of the volume that read nothing which a later window still adds to.
    const bool last = iz + 1 == starts_[2].size();
    const int final_slices = last ? network_[2] : starts_[2][iz + 1];
    int end = written;
    while (end < shape_.nz && last_slice_[static_cast<std::size_t>(end)] < final_slices) ++end;
    if (end > written) read(written, end - written);
    written = end;
  }
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
