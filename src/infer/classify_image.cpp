#include "infer/classify_image.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <sstream>

#include "core/launcher.hpp"
#include "core/volume_input.hpp"
#include "infer/caffe/caffe_model.hpp"
#include "infer/image.hpp"
#include "infer/network_plan.hpp"
#include "infer/network_run.hpp"
#include "infer/resample.hpp"
#include "infer/resample_taps.hpp"
#include "infer/threads.hpp"

namespace isocenter::infer {
namespace {

namespace kernels = isocenter::detail;

constexpr int longest_side = 16384;
constexpr std::int64_t most_numbers = 10'000'000;  // of scores: attributes of a payload hold them
constexpr int named_metrics = 32;

std::int64_t padded(std::int64_t bytes) { return (bytes + 255) / 256 * 256; }
std::string text(const std::array<int, 2>& v) { return std::to_string(v[0]) + " x " + std::to_string(v[1]); }

std::array<int, 2> pair_of(const std::vector<double>& v) {
  return {static_cast<int>(v[0]), static_cast<int>(v[v.size() - 1])};
}

void require_count(const char* what, const std::vector<double>& v, std::size_t most, const std::string& where) {
  if (v.size() > most)
    throw Failure(ErrorCode::invalid_argument,
                  std::string(what) + " has " + std::to_string(v.size()) + " numbers, and 1 " +
                      (most > 1 ? "or " + std::to_string(most) : std::string()) + " are allowed" + where,
                  "leave out what is too much");
}

}  // namespace

void ClassifyImageOperator::plan(PlanContext& plan) {
  const PayloadRef in = plan.input("input");
  on_cpu_ = plan.on_cpu();
  read_images(in);
  std::string digest;
  model_ = read_model(params.model, &digest);
  card_ = read_model_card(model_.metadata, model_.source);
  read_model_input();
  choose_intensity(coloured_);
  choose_sizes();
  choose_activation();
  plan_executor(plan, digest);
  choose_names();
  choose_normalisation(plan);
  plan_resizing(plan);
  plan_scratch(plan);
  describe_output(plan, in, digest);
  state_network(plan, model_, digest, executor_->summary());
  state_facts(plan);
  plan.require_kernel<kernels::ImagePlanesKernel>();
  plan.require_kernel<kernels::NetworkImageKernel>();
  plan.require_kernel<kernels::ResampleKernel>();
  model_ = {};  // the weights are in the executor now
}

void ClassifyImageOperator::read_images(const PayloadRef& in) {
  coloured_ = in.kind() == ISOCENTER_FRAMES;
  if (!coloured_) {
    const kernels::GridShape shape = kernels::grid_shape(in, "input", "voxels", DType::float32);
    if (shape.has_time)
      throw Failure(ErrorCode::unsupported, "input 'input' has a time axis, and images along z are classified",
                    "give one time point at a time");
    size_ = {shape.nx, shape.ny};
    images_ = shape.nz;
  } else {
    const TensorView t = in.tensor("pixels");
    if (std::string_view(t.axes) != "nyxc" || t.type() != DType::uint8 || t.shape[3] != 3)
      throw Failure(ErrorCode::bad_data,
                    std::string("input 'input' has the axes '") + t.axes + "' with " + std::to_string(t.extent('c')) +
                        " channels, and 8-bit pictures 'nyxc' of 3 are needed",
                    "give colour pictures as dicom_frames_source gives them");
    if (*std::max_element(t.shape, t.shape + 3) > 65535)
      throw Failure(ErrorCode::bad_data, "input 'input' has an extent beyond 65535", "give smaller pictures");
    size_ = {static_cast<int>(t.shape[2]), static_cast<int>(t.shape[1])};
    images_ = static_cast<int>(t.shape[0]);
  }
  if (std::max(size_[0], size_[1]) > longest_side)
    throw Failure(ErrorCode::unsupported,
                  "the images are " + text(size_) + " pixels, and up to " + std::to_string(longest_side) +
                      " along a side are classified",
                  "cut or shrink them first");
}

void ClassifyImageOperator::read_model_input() {
  if (model_.inputs.size() != 1)
    throw Failure(
        ErrorCode::unsupported,
        model_.source + ": the model has " + std::to_string(model_.inputs.size()) + " inputs, and one image is given",
        "export it with one input");
  const OnnxPort& port = model_.inputs[0];
  const auto extent = [&](std::size_t k) { return port.shape ? (*port.shape)[k].extent : -1; };
  if (port.type != ElementType::f32 || !port.shape || port.shape->size() != 4 || extent(0) > 1 ||
      (extent(1) != 1 && extent(1) != 3))
    throw Failure(ErrorCode::unsupported,
                  model_.source + ": input '" + port.name + "' is " + name_of(port.type) + " with " +
                      (port.shape ? std::to_string(port.shape->size()) + " axes" : std::string("an unknown shape")) +
                      (port.shape && port.shape->size() == 4
                           ? ", " + std::to_string(extent(0)) + " items and " + std::to_string(extent(1)) + " channels"
                           : std::string()) +
                      ", and float32 (1, 1 or 3 channels, y, x) is needed",
                  "export the model that way; segment_volume and network_inference take volumes");
  channels_ = static_cast<int>(extent(1));
  planes_ = coloured_ ? channels_ : 1;
}

void ClassifyImageOperator::choose_intensity(bool clipped_to_bytes) {
  if (!params.intensity.empty())
    intensity_ = parse_intensity(params.intensity, "intensity");
  else if (card_.intensity)
    intensity_ = *card_.intensity;
  else if (clipped_to_bytes)
    intensity_ = {Intensity::Kind::clip, 0, 255, 0, 1};
  if (intensity_.kind == Intensity::Kind::z_score)
    throw Failure(ErrorCode::unsupported, "intensity is 'z_score', and images are classified with none or a window",
                  "put scale_intensity with method: z_score before this node, and set intensity to none");
}

void ClassifyImageOperator::choose_sizes() {
  require_count("resize", params.resize, 2, " (the shorter side, or x, y)");
  require_count("crop", params.crop, 2, " (x, y)");
  const std::vector<double>& resize = params.resize.empty() ? card_.resize : params.resize;
  resized_ = size_;
  if (resize.size() == 2) {
    resized_ = pair_of(resize);
  } else if (resize.size() == 1) {
    const std::size_t shorter = size_[0] <= size_[1] ? 0 : 1;
    const double length = resize[0] * size_[1 - shorter] / size_[shorter];
    resized_[shorter] = static_cast<int>(resize[0]);
    resized_[1 - shorter] = static_cast<int>(std::min(length, 1e9));
  }
  if (std::max(resized_[0], resized_[1]) > longest_side)
    throw Failure(ErrorCode::invalid_argument,
                  "images of " + text(size_) + " pixels would be resized to " + text(resized_) + ", and up to " +
                      std::to_string(longest_side) + " along a side are allowed",
                  "set resize to x, y");
  const std::vector<double>& crop = params.crop.empty() ? card_.crop : params.crop;
  const auto& shape = *model_.inputs[0].shape;
  const std::array<std::int64_t, 2> own{shape[3].extent, shape[2].extent};
  for (std::size_t k = 0; k < 2; ++k) {
    crop_[k] = !crop.empty() ? pair_of(crop)[k] : static_cast<int>(own[k] > 0 ? own[k] : 0);
    if (crop_[k] == 0 && resize.size() == 2) crop_[k] = resized_[k];
    if (crop_[k] == 0)
      throw Failure(
          ErrorCode::invalid_argument,
          model_.source + ": neither the model nor its metadata 'isocenter.crop' says how large its images are",
          "set the parameter crop, for example to 224, 224");
  }
  for (std::size_t k = 0; k < 2; ++k) {
    if (own[k] > 0 && crop_[k] != own[k])
      throw Failure(ErrorCode::invalid_argument,
                    "crop is " + text(crop_) + ", and " + model_.source + " takes images of " + std::to_string(own[0]) +
                        " x " + std::to_string(own[1]),
                    "leave crop out, or export the model for other sizes");
    // As torchvision's CenterCrop: halves to the even number, zeros around what is smaller.
    const int over = resized_[k] - crop_[k];
    kept_[k] = std::min(resized_[k], crop_[k]);
    placed_[k] = over < 0 ? -over / 2 : 0;
  }
}

void ClassifyImageOperator::choose_activation() {
  scale_ = params.activation;
  if (scale_ == ClassScale::model) {
    if (card_.activation.empty())
      throw Failure(ErrorCode::invalid_argument,
                    model_.source +
                        ": neither activation nor the model's metadata 'isocenter.activation' says what its " +
                        "scores are",
                    "set activation to softmax (one class of all), sigmoid (each by itself) or none");
    scale_ = card_.activation == "softmax"   ? ClassScale::softmax
             : card_.activation == "sigmoid" ? ClassScale::sigmoid
                                             : ClassScale::none;
  }
  cubic_ = params.interpolation == ImageInterpolation::bicubic ||
           (params.interpolation == ImageInterpolation::model && card_.interpolation == "bicubic");
}

void ClassifyImageOperator::plan_executor(PlanContext& plan, const std::string& digest) {
  if (on_cpu_) launcher_ = cpu_launcher(std::max(1, plan.launcher().concurrency));
  const OnnxPort& port = model_.inputs[0];
  if (params.batch > 1 && (*port.shape)[0].extent == 1)
    throw Failure(ErrorCode::unsupported,
                  model_.source + ": batch = " + std::to_string(params.batch) + ", and the input '" + port.name +
                      "' of the model takes 1 item",
                  "export the model with a free batch axis, or leave it at 1");
  const int runs = (images_ + params.batch - 1) / params.batch;  // as few as they need, of as equal sizes as can be
  batch_ = (images_ + runs - 1) / runs;
  NetworkOptions network{.precision = params.precision, .digest = digest, .engine = params.engine, .on_grid = false};
  executor_ = plan_network(plan, model_, {batch_, channels_, crop_[1], crop_[0]}, network);
  rest_ = nullptr;
  if (const int left = images_ % batch_; left > 0) {
    network.beside = &executor_->summary();
    rest_ = plan_network(plan, model_, {left, channels_, crop_[1], crop_[0]}, network);
  }
  for (Executor* each : {executor_.get(), rest_.get()})
    if (params.check_numbers && each != nullptr) each->check_numbers();
  const Port& out = executor_->outputs()[0];
  const std::int64_t count = element_count(out.shape) / batch_;
  if (out.type != ElementType::f32 || out.shape.size() < 2 || out.shape[0] != batch_ || out.shape[1] != count ||
      count < 1 || count > 1'000'000)
    throw Failure(ErrorCode::unsupported,
                  model_.source + ": output '" + out.name + "' is " + to_text(out.shape) + " of " + name_of(out.type) +
                      (batch_ == 1 ? std::string(" for one image") : " for " + std::to_string(batch_) + " images") +
                      ", and one float32 score for each class is needed",
                  "use a network for classification; network_inference gives a score for each pixel");
  classes_ = static_cast<int>(count);
  if (classes_ == 1 && scale_ == ClassScale::softmax)
    throw Failure(ErrorCode::invalid_argument, "activation = softmax over one class is 1 for every image",
                  "set activation to sigmoid, or to none for probabilities");
  if (classes_ * static_cast<std::int64_t>(images_) > most_numbers)
    throw Failure(ErrorCode::unsupported,
                  std::to_string(images_) + " images of " + std::to_string(classes_) + " classes are more than " +
                      std::to_string(most_numbers) + " scores",
                  "give fewer images at a time");
}

void ClassifyImageOperator::choose_names() {
  names_ = card_.class_names;
  std::string where = model_.source + ": the metadata 'isocenter.class_names'";
  if (!params.names.empty()) {
    where = "names";
    names_.clear();
    std::istringstream in(params.names);
    for (std::string name; std::getline(in, name, '/');) names_.push_back(name);
  }
  if (names_.empty())
    for (int c = 0; c < classes_; ++c) names_.push_back("class " + std::to_string(c));
  if (static_cast<int>(names_.size()) != classes_)
    throw Failure(ErrorCode::bad_data,
                  where + " holds " + std::to_string(names_.size()) + " names, and the network has " +
                      std::to_string(classes_) + " classes",
                  "name each class, in the network's order");
}

void ClassifyImageOperator::choose_normalisation(PlanContext& plan) {
  mean_ = !params.mean.empty() ? params.mean : card_.mean;
  deviation_ = !params.deviation.empty() ? params.deviation : card_.deviation;
  const auto spread = [&](std::vector<double>& v, const char* what, double otherwise) {
    if (v.empty()) v = {otherwise};
    if (v.size() == 1) v.resize(static_cast<std::size_t>(channels_), v[0]);
    if (static_cast<int>(v.size()) != channels_)
      throw Failure(ErrorCode::bad_data,
                    std::string(what) + " has " + std::to_string(v.size()) + " numbers, and " + model_.source +
                        " takes " + std::to_string(channels_) + (channels_ == 1 ? " channel" : " channels"),
                    "give one number, or one for each channel");
  };
  spread(mean_, "mean", 0);
  spread(deviation_, "deviation", 1);
  std::vector<float> table;
  for (const double d : deviation_) table.push_back(static_cast<float>(1 / d));
  for (std::size_t c = 0; c < mean_.size(); ++c) table.push_back(static_cast<float>(-mean_[c] / deviation_[c]));
  normalisation_ = plan.upload<float>(table, "means and deviations");
}

/// The taps of the part of each axis that the network sees, as PyTorch's resizing with antialias has them: what lies
/// outside of the image does not count; Keys's cubic with a = -1/2.
void ClassifyImageOperator::plan_resizing(PlanContext& plan) {
  constants_ = plan.upload<float>(std::vector<float>{1.0F, 0.0F}, "one and zero");
  Interpolation s;
  s.coordinates = "half_pixel";
  s.mode = cubic_ ? "cubic" : "linear";
  s.cubic_a = -0.5;
  s.exclude_outside = true;
  s.antialias = true;
  for (std::size_t k = 0; k < 2; ++k) {
    AxisTaps all = interpolation_taps(s, size_[k], resized_[k], static_cast<double>(resized_[k]) / size_[k]);
    const int over = resized_[k] - crop_[k];
    const auto first = static_cast<std::ptrdiff_t>(over > 0 ? std::nearbyint(over / 2.0) : 0) * all.taps;
    const auto last = first + static_cast<std::ptrdiff_t>(kept_[k]) * all.taps;
    taps_[k] = all.taps;
    tap_indices_[k] =
        plan.upload<std::int32_t>(std::vector(all.indices.begin() + first, all.indices.begin() + last), "pixels");
    tap_weights_[k] =
        plan.upload<float>(std::vector(all.weights.begin() + first, all.weights.begin() + last), "pixel weights");
  }
}

std::int64_t ClassifyImageOperator::arena_bytes() const {
  return std::max(executor_->summary().arena_bytes, rest_ == nullptr ? 0 : rest_->summary().arena_bytes);
}

void ClassifyImageOperator::plan_scratch(PlanContext& plan) {
  const auto floats = [](std::int64_t count) { return padded(count * static_cast<std::int64_t>(sizeof(float))); };
  const auto x = [](const Pair& p) { return static_cast<std::int64_t>(p[0]); };
  planes_at_ = padded(arena_bytes());
  rows_at_ = planes_at_ + floats(x(size_) * size_[1] * planes_);
  image_at_ = rows_at_ + floats(x(size_) * kept_[1] * planes_);
  logits_at_ = image_at_ + floats(x(kept_) * kept_[1] * planes_);
  const std::int64_t scores = floats(static_cast<std::int64_t>(images_) * classes_);
  plan.scratch(static_cast<std::uint64_t>(logits_at_ + scores));
  plan.host_scratch(static_cast<std::uint64_t>(2 * scores));
}

void ClassifyImageOperator::describe_output(PlanContext& plan, const PayloadRef& in, const std::string& digest) {
  top_ = std::min<std::int64_t>(params.top, classes_);
  const auto images = static_cast<std::size_t>(images_), classes = static_cast<std::size_t>(classes_);
  scores_.assign(images * classes, 0);
  column_.assign(images, 0);
  order_.resize(classes);
  top_classes_.assign(images * static_cast<std::size_t>(top_), 0);
  top_scores_ = top_classes_;

  PayloadRef out = plan.output("output");
  out.set_tensor("voxels", tensor(DType::float32, "czyx", {classes_, images_, 1, 1}));
  Geometry g = in.geometry();  // one voxel for each image, around its middle
  const auto middle = g.position_mm(0.5 * (size_[0] - 1), 0.5 * (size_[1] - 1), 0);
  std::copy(middle.begin(), middle.end(), g.origin_mm);
  g.spacing_mm[0] *= size_[0];
  g.spacing_mm[1] *= size_[1];
  out.set_geometry(g);
  out.inherit_attributes(in);
  const bool probabilities = scale_ != ClassScale::none;
  isocenter_payload_set_text(out.get(), "unit", probabilities ? "1" : nullptr, nullptr);
  std::string joined;
  for (const std::string& name : names_) joined += (joined.empty() ? "" : "\\") + name;
  out.set_text("labels.names", joined);
  out.set_text("classification.scale", ClassifyImage::Params::scales[static_cast<std::size_t>(scale_)]);
  out.set_numbers("classification.scores", scores_);
  out.set_numbers("classification.top", top_classes_);
  out.set_text("classification.model", std::filesystem::path(model_.source).filename().string());
  out.set_text("classification.model_sha256", digest);

  const char* unit = probabilities ? "1" : "";
  plan.metric("top_class", "", static_cast<std::uint32_t>(top_classes_.size()));
  plan.metric("top_score", unit, static_cast<std::uint32_t>(top_classes_.size()));
  score_metrics_.clear();
  for (int c = 0; c < classes_ && classes_ <= named_metrics; ++c) {
    score_metrics_.push_back("score " + names_[static_cast<std::size_t>(c)]);
    plan.metric(score_metrics_.back().c_str(), unit, static_cast<std::uint32_t>(images_));
  }
}

void ClassifyImageOperator::state_facts(PlanContext& plan) const {
  const auto list = [](const std::vector<double>& v) { return kernels::to_parameter_text(v); };
  const Intensity& i = intensity_;
  plan.fact("intensity", i.kind == Intensity::Kind::none
                             ? std::string("none")
                             : "clip " + kernels::to_parameter_text(i.low) + " " + kernels::to_parameter_text(i.high) +
                                   " scale " + kernels::to_parameter_text(i.from) + " " +
                                   kernels::to_parameter_text(i.to));
  plan.fact("resized_to", text(resized_) + (cubic_ ? ", bicubic" : ", bilinear"));
  plan.fact("image", text(crop_));
  if (batch_ > 1)
    plan.fact("batch",
              std::to_string(batch_) + (rest_ == nullptr ? "" : ", at last " + std::to_string(images_ % batch_)));
  plan.fact("mean", list(mean_));
  plan.fact("deviation", list(deviation_));
  plan.fact("activation", ClassifyImage::Params::scales[static_cast<std::size_t>(scale_)]);
  std::string names;
  for (std::size_t c = 0; c < names_.size(); ++c) names += (c == 0 ? "" : ", ") + std::to_string(c) + " = " + names_[c];
  plan.fact("classes", names);
}

const kernels::Launcher& ClassifyImageOperator::launcher(const RunContext& run) {
  if (!on_cpu_) launcher_ = kernels::launcher_of(run);
  return launcher_;
}

/// One image to the network's input.
void ClassifyImageOperator::prepare(const kernels::Launcher& l, std::byte* scratch, std::int64_t image,
                                    const Executor& network, std::int64_t item) const {
  const auto at = [&](std::int64_t offset) { return reinterpret_cast<float*>(scratch + offset); };
  const std::int64_t pixels = static_cast<std::int64_t>(size_[0]) * size_[1];
  kernels::ImagePlanesKernel planes{};
  planes.grey = grey_ == nullptr ? nullptr : grey_ + image * pixels;
  planes.colour = colour_ == nullptr ? nullptr : colour_ + 3 * image * pixels;
  planes.out = at(planes_at_);
  planes.nx = size_[0];
  planes.ny = size_[1];
  planes.luma = coloured_ && planes_ == 1;
  const bool clips = intensity_.kind == Intensity::Kind::clip;
  const double a = clips ? (intensity_.to - intensity_.from) / (intensity_.high - intensity_.low) : 1;
  planes.low = clips ? static_cast<float>(intensity_.low) : -INFINITY;
  planes.high = clips ? static_cast<float>(intensity_.high) : INFINITY;
  planes.a = static_cast<float>(a);
  planes.b = clips ? static_cast<float>(intensity_.from - a * intensity_.low) : 0.0F;
  kernels::launch(l, planes, size_[0], size_[1], planes_);

  // Along y, then x. The axis is the kernel's column axis: what is faster is its channels, what is slower its items.
  const auto resample = [&](std::size_t axis, const float* from, float* to, int channels, int items) {
    kernels::ResampleKernel kernel{};
    kernel.in = from;
    kernel.out = to;
    kernel.channels = channels;
    for (int k = 0; k < 3; ++k) {
      kernel.in_extent[k] = kernel.out_extent[k] = kernel.taps[k] = 1;
      kernel.indices[k] = reinterpret_cast<const std::int32_t*>(constants_ + 1);
      kernel.weights[k] = constants_;
    }
    kernel.in_extent[2] = size_[axis];
    kernel.out_extent[2] = kept_[axis];
    kernel.taps[2] = taps_[axis];
    kernel.indices[2] = tap_indices_[axis];
    kernel.weights[2] = tap_weights_[axis];
    kernels::launch(l, kernel, channels, kept_[axis], items);
  };
  resample(1, planes.out, at(rows_at_), size_[0], planes_);
  resample(0, at(rows_at_), at(image_at_), 1, planes_ * kept_[1]);

  kernels::NetworkImageKernel to_network{};
  to_network.in = at(image_at_);
  to_network.out = at(network.inputs()[0].offset) + item * channels_ * crop_[0] * crop_[1];
  to_network.planes = planes_;
  for (std::size_t k = 0; k < 2; ++k) {
    to_network.extent[k] = kept_[k];
    to_network.size[k] = crop_[k];
    to_network.at[k] = placed_[k];
  }
  to_network.factor = normalisation_;
  to_network.offset = normalisation_ + channels_;
  kernels::launch(l, to_network, crop_[0], crop_[1], channels_);
}

void ClassifyImageOperator::run(const RunContext& run) {
  const kernels::Launcher& l = launcher(run);
  const PayloadRef in = run.input("input");
  grey_ = coloured_ ? nullptr : in.tensor("voxels").as<const float>();
  colour_ = coloured_ ? in.tensor("pixels").as<const std::uint8_t>() : nullptr;
  auto* scratch = run.scratch<std::byte>();
  if (bound_ != scratch) {
    executor_->bind(bound_ = scratch);
    if (rest_ != nullptr) rest_->bind(scratch);
  }
  const std::uint64_t bytes = static_cast<std::uint64_t>(classes_) * sizeof(float);
  for (std::int64_t image = 0, count = 0; image < images_; image += count) {
    run.check_cancelled();
    count = std::min<std::int64_t>(batch_, images_ - image);
    Executor& network = count == batch_ ? *executor_ : *rest_;
    for (std::int64_t i = 0; i < count; ++i) prepare(l, scratch, image + i, network, i);
    run_network(run, network, scratch, l.stream);
    run.copy(scratch + logits_at_ + image * static_cast<std::int64_t>(bytes), scratch + network.outputs()[0].offset,
             bytes * static_cast<std::uint64_t>(count));
    run.progress(static_cast<double>(image + count) / images_);
  }
  const std::uint64_t all = bytes * static_cast<std::uint64_t>(images_);
  auto* logits = run.host_scratch<float>();
  float* by_class = logits + padded(static_cast<std::int64_t>(all)) / static_cast<std::int64_t>(sizeof(float));
  run.copy(logits, scratch + logits_at_, all);
  run.wait();
  rate({logits, static_cast<std::size_t>(images_) * static_cast<std::size_t>(classes_)});
  for (std::int64_t image = 0; image < images_; ++image)
    for (std::int64_t c = 0; c < classes_; ++c)
      by_class[c * images_ + image] = static_cast<float>(scores_[static_cast<std::size_t>(image * classes_ + c)]);
  PayloadRef out = run.output("output");
  run.copy(out.tensor("voxels").as<float>(), by_class, all);
  run.wait();
  out.set_numbers("classification.scores", scores_);
  out.set_numbers("classification.top", top_classes_);
  tell(run);
}

/// Softmax or sigmoid in double, and the best classes of each image.
void ClassifyImageOperator::rate(std::span<const float> logits) {
  const auto classes = static_cast<std::size_t>(classes_), top = static_cast<std::size_t>(top_);
  for (std::size_t image = 0; image < static_cast<std::size_t>(images_); ++image) {
    const std::span<const float> given = logits.subspan(image * classes, classes);
    double* const scores = scores_.data() + image * classes;
    const auto most = static_cast<double>(*std::max_element(given.begin(), given.end()));
    double sum = 0;
    for (std::size_t c = 0; c < classes; ++c) {
      const auto v = static_cast<double>(given[c]);
      scores[c] = scale_ == ClassScale::softmax   ? std::exp(v - most)
                  : scale_ == ClassScale::sigmoid ? 1 / (1 + std::exp(-v))
                                                  : v;
      sum += scores[c];
    }
    for (std::size_t c = 0; c < classes && scale_ == ClassScale::softmax; ++c) scores[c] /= sum;
    std::iota(order_.begin(), order_.end(), 0);
    // Not-a-number comes last, so that the order is one.
    const auto better = [&](int a, int b) {
      const float u = given[static_cast<std::size_t>(a)], v = given[static_cast<std::size_t>(b)];
      if (std::isnan(u) || std::isnan(v)) return std::isnan(u) == std::isnan(v) ? a < b : !std::isnan(u);
      return u != v ? u > v : a < b;
    };
    std::partial_sort(order_.begin(), order_.begin() + top_, order_.end(), better);
    for (std::size_t k = 0; k < top; ++k) {
      top_classes_[image * top + k] = order_[k];
      top_scores_[image * top + k] = scores[order_[k]];
    }
  }
}

void ClassifyImageOperator::tell(const RunContext& run) {
  run.metric("top_class", top_classes_);
  run.metric("top_score", top_scores_);
  const auto classes = static_cast<std::size_t>(classes_);
  for (std::size_t c = 0; c < score_metrics_.size(); ++c) {
    for (std::size_t image = 0; image < column_.size(); ++image) column_[image] = scores_[image * classes + c];
    run.metric(score_metrics_[c].c_str(), column_);
  }
}

}  // namespace isocenter::infer
