#include "infer/volume_network.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/memory_words.hpp"
#include "infer/caffe/caffe_model.hpp"
#include "infer/copy.hpp"
#include "infer/moments.hpp"
#include "infer/resample_taps.hpp"
#include "infer/threads.hpp"
#include "infer/window_fit.hpp"
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

/// The network takes one volume: one input with one channel (or, where it may, three) and two or three spatial axes.
bool check_input(const OnnxModel& model, bool colours) {
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
    if (const std::int64_t e = (*port.shape)[k].extent; e > 1 && !(colours && k == 1 && e == 3))
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
  const Intensity usual = options.bytes ? Intensity{Intensity::Kind::clip, 0, 255, 0, 1} : Intensity{};
  intensity_ =
      options.intensity.empty() ? card_.intensity.value_or(usual) : parse_intensity(options.intensity, "intensity");
  flat_ = check_input(model_, options.gives_tables);
  gives_tables_ = options.gives_tables;
  fit_ = options.fit;
  const auto& input = model_.inputs[0].shape;
  inputs_ = input && (*input)[1].extent == 3 ? 3 : 1;
  planes_ = inputs_ == 3 ? options.planes : 1;
  on_cpu_ = plan.on_cpu();
  plan_orientation(plan, shape);
  plan_grid(options);
  plan_batches(options, shape.nt);
  plan_executor(plan, options, hash);
  plan_tables(plan, options);
  plan_scratch();
  require_memory(plan);
  if (options.stream_batch > 1 && !gives_tables_) plan_items(plan, {executor_->outputs()[0]}, {rest_->outputs()[0]});
  state_facts(plan, hash);
  plan.require_kernel<kernels::ExtractWindowKernel>();
  if (!gives_tables_) {
    plan.require_kernel<kernels::BlendWindowKernel>();
    plan.require_kernel<kernels::ReadLabelsKernel>();
  }
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
  if (fit_ != ImageFit::windows) fit_grid();
}

/// The whole volume in one window (slice by slice in one, where the network is flat).
void VolumeNetwork::fit_grid() {
  if (fit_ == ImageFit::letterbox && !flat_)
    throw Failure(ErrorCode::invalid_argument,
                  "fit = letterbox is for networks of slices, and " + model_.source + " takes volumes",
                  "set fit to windows, or to stretch");
  const std::array<int, 3> size{shape_.nx, shape_.ny, shape_.nz};
  const double both = std::min(static_cast<double>(window_[0]) / size[0], static_cast<double>(window_[1]) / size[1]);
  for (std::size_t k = 0; k < (flat_ ? 2U : 3U); ++k) {
    const bool keeps = fit_ == ImageFit::letterbox;
    network_[k] = keeps ? std::max(1, static_cast<int>(std::lround(size[k] * both))) : window_[k];
    placed_[k] = (window_[k] - network_[k]) / 2;
    ratio_[k] = static_cast<double>(network_[k]) / size[k];
    resampled_[k] = network_[k] != size[k];
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
    if (!options.window.empty() && fixed > 0 && options.window[k] != static_cast<double>(fixed))
      throw Failure(ErrorCode::invalid_argument,
                    "window is " + kernels::to_parameter_text(options.window[k]) + " along " + axis_names[k] +
                        ", and " + model_.source + " takes " + std::to_string(fixed) + " there and no other extent",
                    "leave window out, or export the model with dynamic axes");
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

/// As few runs as the windows need, of as equal sizes as they can be.
void VolumeNetwork::plan_batches(const VolumeNetworkOptions& options, int frames) {
  windows_ = 1;
  for (std::size_t k = 0; k < 3; ++k) {
    starts_[k] = window_starts(network_[k], window_[k], options.overlap);
    windows_ *= static_cast<std::int64_t>(starts_[k].size());
  }
  const OnnxPort& port = model_.inputs[0];
  const bool items = options.stream_batch > 1;
  if ((items || options.batch > 1) && port.shape && (*port.shape)[0].extent == 1)
    throw Failure(ErrorCode::unsupported,
                  model_.source + (items ? ": stream_batch = " : ": batch = ") +
                      std::to_string(items ? options.stream_batch : options.batch) + ", and the input '" + port.name +
                      "' of the model takes 1 item",
                  "export the model with a free batch axis, or leave it at 1");
  if (items && windows_ * frames > 1)
    throw Failure(ErrorCode::invalid_argument,
                  "stream_batch = " + std::to_string(options.stream_batch) +
                      " is for items that are one window each, and each of these has " +
                      std::to_string(windows_ * frames),
                  "set batch instead, for the windows of an item, or a window that holds all of it");
  if (items) {
    batch_ = options.stream_batch;
    rest_windows_ = 1;
    return;
  }
  const std::int64_t runs = (windows_ + options.batch - 1) / options.batch;
  batch_ = (windows_ + runs - 1) / runs;
  rest_windows_ = windows_ % batch_;
}

/// Items that are one window each wait for one another in memory of the session's; what the stream's end leaves runs
/// one by one.
void VolumeNetwork::plan_items(PlanContext& plan, const std::vector<Port>& whole, const std::vector<Port>& one) {
  items_.plan(plan, batch_, item_input_bytes(), whole, one);
  item_factors_ = plan.allocate<float>(2 * static_cast<std::uint64_t>(batch_), "their intensity scales");
}

void VolumeNetwork::plan_executor(PlanContext& plan, const VolumeNetworkOptions& options, const std::string& hash) {
  if (on_cpu_) launcher_ = cpu_launcher(std::max(1, plan.launcher().concurrency));
  NetworkOptions network{
      .precision = options.precision, .digest = hash, .engine = options.engine, .kept_bytes = options.kept_bytes};
  network.on_grid = !gives_tables_;
  UploadedWeights uploaded;
  if (rest_windows_ > 0) network.uploaded = &uploaded;
  executor_ = plan_windows(plan, batch_, network);
  channels_ = gives_tables_ ? 0 : static_cast<int>(executor_->outputs()[0].shape[1]);
  rest_ = nullptr;
  if (rest_windows_ == 0) return;
  network.beside = &executor_->summary();
  rest_ = plan_windows(plan, rest_windows_, network);
}

/// The network for `count` windows at once. A window that does not suit it is told as such, and not by the node whose
/// shapes it spoils.
std::unique_ptr<Executor> VolumeNetwork::plan_windows(PlanContext& plan, std::int64_t count,
                                                      const NetworkOptions& options) const {
  Shape shape{count, inputs_};
  if (!flat_) shape.push_back(window_[2]);
  shape.insert(shape.end(), {window_[1], window_[0]});
  try {
    return plan_network(plan, model_, shape, options);
  } catch (const Error& why) {
    if (why.code() != ErrorCode::bad_data && why.code() != ErrorCode::unsupported) throw;
    const auto misfit = window_misfit(model_, {window_, flat_, count, inputs_, options.on_grid});
    if (!misfit) throw;
    const std::string cause = why.what();
    throw Failure(ErrorCode::invalid_argument, misfit->what + ": " + cause.substr(0, cause.find(". Fix: ")),
                  misfit->fix);
  }
}

void VolumeNetwork::check_numbers() {
  executor_->check_numbers();
  if (rest_ != nullptr) rest_->check_numbers();
}

std::int64_t VolumeNetwork::arena_bytes() const {
  return std::max(executor_->summary().arena_bytes, rest_ == nullptr ? 0 : rest_->summary().arena_bytes);
}

/// What the items of a batch wait in: plan_items. Of tables all that the network gives.
std::int64_t VolumeNetwork::item_bytes() const {
  if (windows_ >= batch_) return 0;
  std::vector<Port> outputs = executor_->outputs();
  if (!gives_tables_) outputs.resize(1);
  return StreamItems::bytes(batch_, item_input_bytes(), outputs) + floats(2 * batch_);
}

void VolumeNetwork::plan_blending(PlanContext& plan, std::size_t k) {
  const std::array<int, 3> size{shape_.nx, shape_.ny, shape_.nz};
  if (k == 2) last_slice_.clear();
  ring_[k] = std::max(network_[k], window_[k]);
  weights_[k] = plan.upload<float>(window_weights(window_[k]), "window weights");
  const AxisReading reading =
      read_axis(size[k], network_[k], ratio_[k], weight_sums(network_[k], window_[k], starts_[k]));
  readings_[k] = {plan.upload<std::int32_t>(reading.index, "score positions"),
                  plan.upload<float>(reading.weight, "score weights")};
  if (k == 2)
    for (std::size_t i = 1; i < reading.index.size(); i += 2) last_slice_.push_back(reading.index[i]);
}

void VolumeNetwork::plan_tables(PlanContext& plan, const VolumeNetworkOptions& options) {
  const std::array<int, 3> size{shape_.nx, shape_.ny, shape_.nz};
  for (std::size_t k = 0; k < 3; ++k) {
    if (!gives_tables_) plan_blending(plan, k);
    if (!resampled_[k]) continue;
    Interpolation linear;
    linear.mode = "linear";
    linear.coordinates = "half_pixel";
    linear.antialias = options.antialias;
    const AxisTaps taps = interpolation_taps(linear, size[k], network_[k], ratio_[k]);
    taps_[k] = taps.taps;
    tap_indices_[k] = plan.upload<std::int32_t>(taps.indices, "resampling positions");
    tap_weights_[k] = plan.upload<float>(taps.weights, "resampling weights");
  }
  // A slice below the newest window may still be read together with the slice above it: one more than the window's
  // depth.
  ring_[2] = std::min(ring_[2], window_[2] + 1);
  constants_ = plan.upload<float>(channel_scales(options), "intensity scale");
}

/// What lies at constants_.
std::vector<float> VolumeNetwork::channel_scales(const VolumeNetworkOptions& options) const {
  const bool clips = intensity_.kind == Intensity::Kind::clip;
  const double a = clips ? (intensity_.to - intensity_.from) / (intensity_.high - intensity_.low) : 1.0;
  const double b = clips ? intensity_.from - a * intensity_.low : 0.0;
  std::vector<float> table{static_cast<float>(a), static_cast<float>(b), 1.0F, 0.0F, static_cast<float>(options.pad)};
  if (!gives_tables_) return table;
  const std::vector<double>& mean = options.mean.empty() ? card_.mean : options.mean;
  const std::vector<double>& deviation = options.deviation.empty() ? card_.deviation : options.deviation;
  const auto of_channel = [&](const std::vector<double>& v, const char* what, std::size_t c, double otherwise) {
    if (v.empty()) return otherwise;
    if (v.size() != 1 && v.size() != static_cast<std::size_t>(inputs_))
      throw Failure(ErrorCode::bad_data,
                    std::string(what) + " has " + std::to_string(v.size()) + " numbers, and " + model_.source +
                        " takes " + std::to_string(inputs_) + (inputs_ == 1 ? " channel" : " channels"),
                    "give one number, or one for each channel");
    return v.size() == 1 ? v[0] : v[c];
  };
  if (intensity_.kind == Intensity::Kind::z_score && !(mean.empty() && deviation.empty()))
    throw Failure(ErrorCode::invalid_argument, "intensity is 'z_score', and mean or deviation are given too",
                  "leave one of them out");
  for (std::size_t c = 0; c < static_cast<std::size_t>(inputs_); ++c) {
    const double m = of_channel(mean, "mean", c, 0), d = of_channel(deviation, "deviation", c, 1);
    table.push_back(static_cast<float>(a / d));
    table.push_back(static_cast<float>((b - m) / d));
  }
  return table;
}

void VolumeNetwork::plan_scratch() {
  const std::int64_t nx = shape_.nx, ny = shape_.ny;
  scratch_bytes_ = padded(arena_bytes());
  const auto reserve = [&](std::int64_t bytes) {
    const std::int64_t at = scratch_bytes_;
    scratch_bytes_ += bytes;
    return at;
  };
  if (!orientation_.as_it_comes()) oriented_at_ = reserve(floats(shape_.frame_voxels()));
  ring_at_ = reserve(floats(static_cast<std::int64_t>(channels_) * ring_[0] * ring_[1] * ring_[2]));
  const std::int64_t slices = static_cast<std::int64_t>(network_[2]) * planes_;
  if (resampled_[2]) resampled_at_[2] = reserve(floats(nx * ny * slices));
  if (resampled_[1]) resampled_at_[1] = reserve(floats(nx * network_[1] * slices));
  if (resampled_[0]) resampled_at_[0] = reserve(floats(static_cast<std::int64_t>(network_[0]) * network_[1] * slices));
  factors_at_ = reserve(floats(2));
  const std::int64_t rows = network_[1] * slices;
  const std::int64_t blocks = (rows + kernels::moments_block - 1) / kernels::moments_block;
  if (intensity_.kind == Intensity::Kind::z_score) moments_at_ = reserve(floats(2 * blocks * (network_[0] + 1)));
}

/// The arena and what items wait in grow with the window's voxels and the batch; a window that would fit is named in
/// steps that networks can halve.
void VolumeNetwork::require_memory(const PlanContext& plan) const {
  constexpr int step = 16;
  const auto left = static_cast<double>(plan.memory_left()), all = static_cast<double>(scratch_bytes_ + item_bytes());
  if (all <= left) return;
  const auto grows = static_cast<double>(arena_bytes() + item_bytes());
  const double part = (left - (all - grows)) / grows;
  const OnnxPort& port = model_.inputs[0];
  bool free = port.shape.has_value();
  Extents smaller = window_;
  double voxels = 1;
  for (std::size_t k = 0; k < (flat_ ? 2U : 3U); ++k) {
    free = free && (*port.shape)[port.shape->size() - 1 - k].extent < 0;
    smaller[k] = static_cast<int>(window_[k] * std::pow(std::max(part, 0.0), flat_ ? 1.0 / 2 : 1.0 / 3)) / step * step;
    voxels *= smaller[k];
  }
  const auto fewer = static_cast<std::int64_t>(static_cast<double>(batch_) * part);
  const std::string windows = batch_ > 1 ? std::to_string(batch_) + " windows of " : "a window of ";
  const auto needed = static_cast<std::uint64_t>(all);
  throw Failure(ErrorCode::out_of_memory,
                model_.source + ": " + windows + text(window_) + (batch_ > 1 ? " need " : " needs ") +
                    kernels::megabytes(needed) + " to work in, and " +
                    kernels::left_text(plan, plan.memory_left(), plan.device().name),
                kernels::more_memory(plan, needed - plan.memory_left()) +
                    (fewer > 0            ? "; " + batch_name() + " = " + std::to_string(fewer) + " would fit"
                     : free && voxels > 0 ? "; window = " + text(smaller) + " would fit"
                                          : ""));
}

void VolumeNetwork::state_facts(PlanContext& plan, const std::string& hash) const {
  state_network(plan, model_, hash, executor_->summary());
  plan.fact("window", text(window_));
  plan.fact("windows", std::to_string(windows_));
  if (batch_ > 1)
    plan.fact(batch_name().c_str(),
              std::to_string(batch_) + (rest_ == nullptr ? "" : ", at last " + std::to_string(rest_windows_)));
  plan.fact("network_grid", text(network_));
}

}  // namespace isocenter::infer
