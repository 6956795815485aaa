#include "infer/bundle_network.hpp"

#include <algorithm>
#include <cmath>

#include "core/launcher.hpp"
#include "core/memory_words.hpp"
#include "infer/copy.hpp"
#include "infer/network_plan.hpp"
#include "infer/network_run.hpp"
#include "infer/resample.hpp"
#include "infer/threads.hpp"
#include "infer/whole_scores.hpp"
#include "volume/parts.hpp"

namespace isocenter::infer {
namespace {

namespace kernels = isocenter::detail;

constexpr int most_along_axis = 65535;

std::int64_t padded_bytes(std::int64_t bytes) { return (bytes + 255) / 256 * 256; }
std::int64_t count(const std::array<int, 3>& e) { return static_cast<std::int64_t>(e[0]) * e[1] * e[2]; }
std::string text(const std::array<int, 3>& e) {
  return std::to_string(e[0]) + " x " + std::to_string(e[1]) + " x " + std::to_string(e[2]);
}

int divisible_by(int size, int divisor) { return (size + divisor - 1) / divisor * divisor; }

/// MONAI's array [i][j][k] has its last index fastest: k is x here.
template <class T>
std::array<T, 3> turned(const std::array<T, 3>& ijk) {
  return {ijk[2], ijk[1], ijk[0]};
}

}  // namespace

std::int64_t BundleNetwork::reserve(std::int64_t bytes) {
  const std::int64_t place = scratch_bytes_;
  scratch_bytes_ += padded_bytes(bytes);
  return place;
}

void BundleNetwork::plan(PlanContext& plan, const kernels::GridShape& shape, BundleRecipe recipe, int stream_batch) {
  recipe_ = std::move(recipe);
  batch_ = stream_batch;
  original_ = shape;
  on_cpu_ = plan.on_cpu();
  std::string hash;
  model_ = read_onnx(recipe_.model, &hash);
  constants_ = plan.upload<float>(std::vector<float>{1.0F, 0.0F}, "one and zero");
  plan_orientation(plan);
  plan_steps(plan);
  plan_windows(plan);
  plan_executor(plan, hash);
  if (batch_ > 1) plan_items(plan);
  plan_way_back(plan);
  state_network(plan, model_, hash, executor_->summary());
  if (!recipe_.version.empty()) plan.fact("bundle_version", recipe_.version);
  plan.fact("window", text(window_));
  plan.fact("windows", std::to_string(starts_[0].size() * starts_[1].size() * starts_[2].size()));
  if (batch_ > 1) plan.fact("stream_batch", std::to_string(batch_) + ", at last 1");
  plan.fact("network_grid", text(padded_));
  for (const std::string& what : recipe_.contradictions)
    plan.warn("the bundle contradicts itself: " + what, "ask who made it, and correct one of both");
  model_ = {};  // the weights are in the executor now
}

/// Array axes i, j, k along the letters of Orientationd, or along the volume's own x, y, z; k becomes our x.
void BundleNetwork::plan_orientation(PlanContext& plan) {
  Orientation o;
  o.axis = {2, 1, 0};
  if (!recipe_.orientation.empty()) {
    o = orient(original_.geometry, std::string(recipe_.orientation.rbegin(), recipe_.orientation.rend()));
    plan.fact("axes", nearest_axes(original_.geometry) + " taken as " + recipe_.orientation);
  }
  shape_ = oriented(original_, o);
  size_ = {shape_.nx, shape_.ny, shape_.nz};
  steps_ = voxel_steps(original_, o);
  if (std::max({std::abs(steps_.x), std::abs(steps_.y), std::abs(steps_.z)}) > INT32_MAX / 8)
    throw Failure(ErrorCode::unsupported,
                  "input 'input' has slices of more than " + std::to_string(INT32_MAX / 8) + " voxels",
                  "resample or crop the volume first");
  for (std::size_t k = 0; k < 3; ++k)
    if (!(shape_.geometry.spacing_mm[k] > 0))
      throw Failure(ErrorCode::bad_data,
                    "input 'input' has a spacing of " + std::to_string(shape_.geometry.spacing_mm[k]) + " mm",
                    "check PixelSpacing (0028,0030) and the slice positions of the series");
  oriented_at_ = reserve(count(size_) * 4);
  plan.require_kernel<kernels::CopyKernel>();
}

void BundleNetwork::plan_steps(PlanContext& plan) {
  for (std::size_t k = 0; k < 3; ++k) changes_[k] = {AxisChange::Rule::keep, size_[k], size_[k], 1, 1};
  std::int64_t work = 0;
  for (const BundleStep& step : recipe_.steps) {
    if (step.kind == BundleStep::Kind::pad || step.kind == BundleStep::Kind::pad_to) {
      paddings_.push_back(step);
    } else if (step.kind == BundleStep::Kind::crop) {
      centre_ = turned(step.size);
    } else if (step.kind == BundleStep::Kind::foreground) {
      plan_foreground(plan, step);
    } else if (step.kind == BundleStep::Kind::spacing || step.kind == BundleStep::Kind::resize) {
      plan_change(plan, step);
    } else {
      plan_scaling(plan, step);
      work = std::max(work, passes_.back().scaling.work_bytes(size_[1], size_[2]));
    }
  }
  work_at_ = reserve(work);
}

/// The volume is planned for as if all of it were foreground; what a run finds is laid out within that.
void BundleNetwork::plan_foreground(PlanContext& plan, const BundleStep& step) {
  if (!on_cpu_)
    throw Failure(ErrorCode::unsupported,
                  "CropForegroundd looks at voxels in host memory, and this node runs on '" +
                      std::string(plan.device().name) + "'",
                  "run it on \"cpu\", or take CropForegroundd out of the configuration");
  crops_ = true;
  Pass pass;
  pass.crops = true;
  pass.margin = step.margin;
  pass.size = size_;
  passes_.push_back(pass);
  bounds_of_slice_.resize(static_cast<std::size_t>(size_[2]));
  plan.declare_host_memory(bounds_of_slice_.size() * sizeof(SliceBounds));
}

void BundleNetwork::plan_scaling(PlanContext& plan, const BundleStep& step) {
  Pass pass;
  pass.scales = true;
  pass.size = size_;
  using Scaling = kernels::IntensityScaling::Kind;
  pass.scaling.kind = step.kind == BundleStep::Kind::z_score       ? Scaling::z_score
                      : step.kind == BundleStep::Kind::percentiles ? Scaling::percentiles
                                                                   : Scaling::window;
  pass.scaling.which.nonzero = step.nonzero;
  pass.scaling.percentile[0] = step.low;
  pass.scaling.percentile[1] = step.high;
  pass.scaling.from = static_cast<float>(step.from);
  pass.scaling.to = static_cast<float>(step.to);
  pass.scaling.clip = step.clip;
  const kernels::ValueScale fixed = kernels::window_scale(step.low, step.high, step.from, step.to, step.clip);
  pass.scale = plan.upload<kernels::ValueScale>(std::span(&fixed, 1), "intensity scale");
  passes_.push_back(pass);
  if (pass.scaling.kind == Scaling::percentiles && count(size_) > UINT32_MAX)
    throw Failure(ErrorCode::unsupported,
                  "ScaleIntensityRangePercentilesd would count " + std::to_string(count(size_)) +
                      " voxels, and up to " + std::to_string(UINT32_MAX) + " are counted",
                  "put it before Spacingd or Resized, or crop the volume first");
  kernels::require_scaling(plan, pass.scaling.kind);
}

/// Along z, y, then x, so that each pass moves rows that are as long as possible.
void BundleNetwork::plan_change(PlanContext& plan, const BundleStep& step) {
  for (std::size_t k = 0; k < 3; ++k) {
    if (step.kind == BundleStep::Kind::resize) {
      changes_[k] = resize_change(size_[k], turned(step.size)[k]);
      continue;
    }
    const double mm = shape_.geometry.spacing_mm[k], wanted = turned(step.spacing_mm)[k];
    const double extent = spaced_extent(size_[k], mm, wanted);
    if (!(extent <= most_along_axis))
      throw Failure(ErrorCode::invalid_argument,
                    std::string("at the bundle's pixdim of ") + kernels::to_parameter_text(wanted) +
                        " mm the volume has " + kernels::to_parameter_text(extent) + " voxels along its axis " +
                        "ijk"[2 - k] + ", and up to " + std::to_string(most_along_axis) + " are allowed",
                    "check pixdim of Spacingd and the volume's spacing, " + kernels::to_parameter_text(mm) + " mm");
    changes_[k] = spacing_change(size_[k], mm, wanted);
  }
  for (const std::size_t k : {std::size_t{2}, std::size_t{1}, std::size_t{0}}) {
    if (changes_[k].rule == AxisChange::Rule::keep) continue;
    std::int64_t faster = 1, slower = 1;
    for (std::size_t i = 0; i < 3; ++i)
      if (i != k) (i < k ? faster : slower) *= size_[i];
    if (std::max(faster, slower) > INT32_MAX)
      throw Failure(ErrorCode::unsupported,
                    "the bundle's grid of " + text(size_) + " voxels (k, j, i) has a face of more than " +
                        std::to_string(INT32_MAX) + " voxels",
                    "check Spacingd or Resized of the bundle and the volume's spacing");
    const AxisPairs pairs = forward(changes_[k]);
    Pass pass;
    pass.axis = static_cast<int>(k);
    pass.taps_to = changes_[k].to;
    pass.index = plan.upload<std::int32_t>(pairs.index, "resampling positions");
    pass.weight = plan.upload<float>(pairs.weight, "resampling weights");
    pass.size = size_;
    size_[k] = changes_[k].to;
    pass.at = reserve(count(size_) * 4);
    passes_.push_back(pass);
  }
  plan.require_kernel<kernels::ResampleKernel>();
}

void BundleNetwork::plan_windows(PlanContext& plan) {
  const Extents asked = turned(recipe_.window);
  const ForegroundBox all{{0, 0, 0}, size_}, centre = centre_of(all);
  bool pads = crops_;
  for (std::size_t k = 0; k < 3; ++k) {
    const int padded = padded_extent(centre.size[k], k)[0];
    if (padded > most_along_axis)
      throw Failure(ErrorCode::invalid_argument,
                    "the bundle pads the volume to " + std::to_string(padded) + " voxels along its axis " +
                        "ijk"[2 - k] + ", and up to " + std::to_string(most_along_axis) + " are allowed",
                    "check SpatialPadd and DivisiblePadd of the bundle");
    window_[k] = asked[k] > 0 ? asked[k] : padded;
    pads = pads || std::max(padded, window_[k]) != size_[k];
  }
  const std::int64_t weights_bytes = count(window_) * 4;
  const std::string smaller = "set a smaller roi_size, or k of DivisiblePadd where the window is the whole volume";
  const std::string named = "the bundle's window of " + text(window_) + " voxels (k, j, i)";
  if (count(window_) > INT32_MAX)
    throw Failure(ErrorCode::unsupported,
                  named + " has more than the " + std::to_string(INT32_MAX) + " that are allowed", smaller);
  if (const auto needed = static_cast<std::uint64_t>(weights_bytes), left = plan.memory_left(); needed > left)
    throw Failure(ErrorCode::out_of_memory,
                  named + " needs " + kernels::megabytes(needed) + " of weights, and " +
                      kernels::left_text(plan, left, plan.device().name),
                  kernels::more_memory(plan, needed - left) + ", or " + smaller);
  const int window[3] = {window_[0], window_[1], window_[2]};
  importance_ = plan.upload<float>(importance_map(window, recipe_.gaussian, recipe_.sigma), "window weights");
  plan.require_kernel<kernels::ExtractWindowKernel>();
  plan.require_kernel<kernels::AddWindowKernel>();
  plan.require_kernel<kernels::FinishScoresKernel>();
  for (std::size_t k = 0; k < 3; ++k) back_[k] = backward(changes_[k], recipe_.nearest_back, 0);
  lay_out(all);
  if (!pads) return;
  for (std::size_t k = 0; k < 3; ++k)
    padding_[k] = crops_ ? padding_table_[k].data() : plan.upload<std::int32_t>(padding_table_[k], "padding");
  padded_at_ = reserve(count(padded_) * 4);
}

ForegroundBox BundleNetwork::centre_of(ForegroundBox left) const {
  for (std::size_t k = 0; k < 3; ++k) {
    if (centre_[k] == 0) continue;
    const int size = left.size[k], first = std::max(size / 2 - centre_[k] / 2, 0);
    left.first[k] += first;
    left.size[k] = std::min(first + centre_[k], size) - first;
  }
  return left;
}

std::array<int, 2> BundleNetwork::padded_extent(int size, std::size_t axis) const {
  int padded = size, before = 0;
  for (const BundleStep& step : paddings_) {
    const int given = turned(step.size)[axis];
    const int to = step.kind == BundleStep::Kind::pad ? divisible_by(padded, given) : std::max(padded, given);
    if (!step.at_end) before += (to - padded) / 2;
    padded = to;
  }
  return {padded, before};
}

void BundleNetwork::lay_out(const ForegroundBox& found) {
  left_ = found;
  const ForegroundBox left = centre_of(found);
  for (std::size_t k = 0; k < 3; ++k) {
    const int size = left.size[k];
    const auto [padded, before] = padded_extent(size, k);
    padded_[k] = std::max(padded, window_[k]);
    before_[k] = before + (padded_[k] - padded) / 2;
    bundle_window_starts(padded_[k], window_[k], recipe_.overlap, starts_[k]);
    padding_table_[k].clear();
    for (int i = 0; i < padded_[k]; ++i) {
      const int at = i - before_[k];
      padding_table_[k].push_back(at >= 0 && at < size ? left.first[k] + at : -1);
    }
    // MONAI's way back fills with zeros what was cropped away.
    reading_table_[k] = back_[k];
    for (std::size_t i = 0; i < back_[k].index.size(); ++i) {
      const int at = back_[k].index[i] - left.first[k];
      const bool inside = at >= 0 && at < size;
      reading_table_[k].index[i] = inside ? at + before_[k] : 0;
      if (!inside) reading_table_[k].weight[i] = 0;
    }
  }
}

void BundleNetwork::plan_executor(PlanContext& plan, const std::string& digest) {
  if (model_.inputs.size() != 1 || (model_.inputs[0].shape && model_.inputs[0].shape->size() != 5) ||
      model_.inputs[0].type != ElementType::f32)
    throw Failure(ErrorCode::unsupported,
                  model_.source + ": the model does not take one input (1, 1, i, j, k) of float32",
                  "export the network of the bundle, for volumes with one channel");
  if (batch_ > 1 && model_.inputs[0].shape && (*model_.inputs[0].shape)[0].extent == 1)
    throw Failure(ErrorCode::unsupported,
                  model_.source + ": stream_batch = " + std::to_string(batch_) + ", and the input '" +
                      model_.inputs[0].name + "' of the model takes 1 item",
                  "export the model with a free batch axis, or leave it at 1");
  if (on_cpu_) launcher_ = cpu_launcher(std::max(1, plan.launcher().concurrency));
  NetworkOptions options{.digest = digest};
  executor_ = plan_network(plan, model_, {batch_, 1, window_[2], window_[1], window_[0]}, options);
  if (batch_ > 1) {
    options.beside = &executor_->summary();
    rest_ = plan_network(plan, model_, {1, 1, window_[2], window_[1], window_[0]}, options);
  }
  channels_ = static_cast<int>(executor_->outputs()[0].shape[1]);
  check_outputs();
  const std::int64_t rest = rest_ == nullptr ? 0 : rest_->summary().arena_bytes;
  arena_at_ = reserve(std::max(executor_->summary().arena_bytes, rest));
  scores_at_ = reserve(count(padded_) * (channels_ + 1) * 4);
}

void BundleNetwork::check_outputs() const {
  if (recipe_.output_channels > 0 && recipe_.output_channels != channels_)
    throw Failure(ErrorCode::bad_data,
                  model_.source + ": the model gives " + std::to_string(channels_) +
                      " channels, and num_channels of pred in metadata.json is " +
                      std::to_string(recipe_.output_channels),
                  "export the model anew, or correct the file");
  if (recipe_.threshold && channels_ != 1)
    throw Failure(
        ErrorCode::unsupported,
        model_.source + ": the model gives " + std::to_string(channels_) +
            " channels and AsDiscreted asks for a threshold: masks that may overlap, which labels cannot hold",
        "use argmax, or network_inference for the scores");
  if (!recipe_.threshold && (channels_ < 2 || channels_ > 256))
    throw Failure(ErrorCode::unsupported,
                  model_.source + ": the model gives " + std::to_string(channels_) +
                      " channels, and AsDiscreted asks for argmax, which needs 2 to 256",
                  "use threshold for one channel");
}

/// Items of one frame and one window; where the foreground is cut out each has its own extents within that.
void BundleNetwork::plan_items(PlanContext& plan) {
  const std::size_t windows = starts_[0].size() * starts_[1].size() * starts_[2].size();
  if (const auto all = windows * static_cast<std::size_t>(original_.nt); all > 1)
    throw Failure(ErrorCode::invalid_argument,
                  "stream_batch = " + std::to_string(batch_) +
                      " is for items that are one window each, and each of these has " + std::to_string(all),
                  "set stream_batch to 1, or a roi_size of the inferer that holds all of it");
  items_.plan(plan, batch_, count(window_) * 4, {executor_->outputs()[0]}, {rest_->outputs()[0]});
  item_boxes_.assign(static_cast<std::size_t>(batch_), {{0, 0, 0}, size_});
  plan.declare_host_memory(item_boxes_.size() * sizeof(ForegroundBox));
}

/// Where each voxel of the volume reads the scores.
void BundleNetwork::plan_way_back(PlanContext& plan) {
  for (std::size_t k = 0; k < 3; ++k) {
    const AxisPairs& pairs = reading_table_[k];
    readings_[k] = {crops_ ? pairs.index.data() : plan.upload<std::int32_t>(pairs.index, "score positions"),
                    crops_ ? pairs.weight.data() : plan.upload<float>(pairs.weight, "score weights")};
  }
  plan.require_kernel<kernels::ReadLabelsKernel>();
  if (recipe_.largest == 0 && recipe_.filled == 0 && recipe_.smallest == 0) return;
  if (original_.frame_voxels() > INT32_MAX - 1)
    throw Failure(
        ErrorCode::unsupported,
        "KeepLargestConnectedComponentd, FillHolesd and RemoveSmallObjectsd are there for up to 2147483646 voxels",
        "crop the volume first");
  parents_at_ = reserve(original_.frame_voxels() * 4);
  if (recipe_.filled > 0) {
    if (recipe_.filled_labels.empty())
      for (int label = 1; label < std::max(2, channels_); ++label) recipe_.filled_labels.push_back(label);
    kernels::require_found_parts(plan);
    plan.require_kernel<kernels::NoteHolesKernel>();
    plan.require_kernel<kernels::FillHolesKernel>();
  }
  if (recipe_.smallest > 0 && !recipe_.small_of_all && channels_ > 2)
    throw Failure(ErrorCode::unsupported,
                  "RemoveSmallObjectsd with independent_channels takes each label as one object, and the model gives " +
                      std::to_string(channels_ - 1),
                  "set independent_channels to false, or put the node largest_components behind the bundle");
  if (recipe_.smallest > 0) kernels::require_parts(plan);
  if (recipe_.largest == 0) return;
  limits_ = plan.allocate<unsigned long long>(static_cast<std::uint64_t>(recipe_.largest) * 256, "sizes of parts");
  kernels::require_parts(plan);
}

}  // namespace isocenter::infer
