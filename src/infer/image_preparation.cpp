#include "infer/image_preparation.hpp"

#include <algorithm>
#include <cmath>

#include "core/volume_input.hpp"
#include "infer/image.hpp"
#include "infer/resample.hpp"
#include "infer/resample_taps.hpp"

namespace isocenter::infer {
namespace {

namespace kernels = isocenter::detail;

constexpr int longest_side = 16384;

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

void ImagePreparation::choose(const PayloadRef& in, const ClassifyImage::Params& params, const OnnxModel& model,
                              const ModelCard& card) {
  read_images(in);
  read_model_input(model);
  choose_intensity(params, card);
  choose_sizes(params, model, card);
  cubic_ = params.interpolation == ImageInterpolation::bicubic ||
           (params.interpolation == ImageInterpolation::model && card.interpolation == "bicubic");
  mean_ = !params.mean.empty() ? params.mean : card.mean;
  deviation_ = !params.deviation.empty() ? params.deviation : card.deviation;
  spread(mean_, "mean", 0, model.source);
  spread(deviation_, "deviation", 1, model.source);
}

void ImagePreparation::read_images(const PayloadRef& in) {
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

void ImagePreparation::read_model_input(const OnnxModel& model) {
  if (model.inputs.size() != 1)
    throw Failure(
        ErrorCode::unsupported,
        model.source + ": the model has " + std::to_string(model.inputs.size()) + " inputs, and one image is given",
        "export it with one input");
  const OnnxPort& port = model.inputs[0];
  const auto extent = [&](std::size_t k) { return port.shape ? (*port.shape)[k].extent : -1; };
  if (port.type != ElementType::f32 || !port.shape || port.shape->size() != 4 || extent(0) > 1 ||
      (extent(1) != 1 && extent(1) != 3))
    throw Failure(ErrorCode::unsupported,
                  model.source + ": input '" + port.name + "' is " + name_of(port.type) + " with " +
                      (port.shape ? std::to_string(port.shape->size()) + " axes" : std::string("an unknown shape")) +
                      (port.shape && port.shape->size() == 4
                           ? ", " + std::to_string(extent(0)) + " items and " + std::to_string(extent(1)) + " channels"
                           : std::string()) +
                      ", and float32 (1, 1 or 3 channels, y, x) is needed",
                  "export the model that way; segment_volume and network_inference take volumes");
  channels_ = static_cast<int>(extent(1));
  planes_ = coloured_ ? channels_ : 1;
}

void ImagePreparation::choose_intensity(const ClassifyImage::Params& params, const ModelCard& card) {
  if (!params.intensity.empty())
    intensity_ = parse_intensity(params.intensity, "intensity");
  else if (card.intensity)
    intensity_ = *card.intensity;
  else if (coloured_)
    intensity_ = {Intensity::Kind::clip, 0, 255, 0, 1};
  if (intensity_.kind == Intensity::Kind::z_score)
    throw Failure(ErrorCode::unsupported, "intensity is 'z_score', and images are classified with none or a window",
                  "put scale_intensity with method: z_score before this node, and set intensity to none");
}

void ImagePreparation::choose_sizes(const ClassifyImage::Params& params, const OnnxModel& model,
                                    const ModelCard& card) {
  require_count("resize", params.resize, 2, " (the shorter side, or x, y)");
  require_count("crop", params.crop, 2, " (x, y)");
  const std::vector<double>& resize = params.resize.empty() ? card.resize : params.resize;
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
  const std::vector<double>& crop = params.crop.empty() ? card.crop : params.crop;
  const auto& shape = *model.inputs[0].shape;
  const std::array<std::int64_t, 2> own{shape[3].extent, shape[2].extent};
  for (std::size_t k = 0; k < 2; ++k) {
    crop_[k] = !crop.empty() ? pair_of(crop)[k] : static_cast<int>(own[k] > 0 ? own[k] : 0);
    if (crop_[k] == 0 && resize.size() == 2) crop_[k] = resized_[k];
    if (crop_[k] == 0)
      throw Failure(
          ErrorCode::invalid_argument,
          model.source + ": neither the model nor its metadata 'isocenter.crop' says how large its images are",
          "set the parameter crop, for example to 224, 224");
  }
  for (std::size_t k = 0; k < 2; ++k) {
    if (own[k] > 0 && crop_[k] != own[k])
      throw Failure(ErrorCode::invalid_argument,
                    "crop is " + text(crop_) + ", and " + model.source + " takes images of " + std::to_string(own[0]) +
                        " x " + std::to_string(own[1]),
                    "leave crop out, or export the model for other sizes");
    // As torchvision's CenterCrop: halves to the even number, zeros around what is smaller.
    const int over = resized_[k] - crop_[k];
    kept_[k] = std::min(resized_[k], crop_[k]);
    placed_[k] = over < 0 ? -over / 2 : 0;
  }
}

/// One number for each channel.
void ImagePreparation::spread(std::vector<double>& v, const char* what, double otherwise,
                              const std::string& model) const {
  if (v.empty()) v = {otherwise};
  if (v.size() == 1) v.resize(static_cast<std::size_t>(channels_), v[0]);
  if (static_cast<int>(v.size()) != channels_)
    throw Failure(ErrorCode::bad_data,
                  std::string(what) + " has " + std::to_string(v.size()) + " numbers, and " + model + " takes " +
                      std::to_string(channels_) + (channels_ == 1 ? " channel" : " channels"),
                  "give one number, or one for each channel");
}

void ImagePreparation::plan(PlanContext& plan) {
  std::vector<float> table;
  for (const double d : deviation_) table.push_back(static_cast<float>(1 / d));
  for (std::size_t c = 0; c < mean_.size(); ++c) table.push_back(static_cast<float>(-mean_[c] / deviation_[c]));
  normalisation_ = plan.upload<float>(table, "means and deviations");
  plan_resizing(plan);
  plan.require_kernel<kernels::ImagePlanesKernel>();
  plan.require_kernel<kernels::NetworkImageKernel>();
  plan.require_kernel<kernels::ResampleKernel>();
}

/// The taps of the part of each axis that the network sees, as PyTorch's resizing with antialias has them: what lies
/// outside of the image does not count; Keys's cubic with a = -1/2.
void ImagePreparation::plan_resizing(PlanContext& plan) {
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

std::int64_t ImagePreparation::lay_out(std::int64_t first) {
  const auto floats = [](std::int64_t count) { return padded(count * static_cast<std::int64_t>(sizeof(float))); };
  const auto x = [](const Pair& p) { return static_cast<std::int64_t>(p[0]); };
  planes_at_ = padded(first);
  rows_at_ = planes_at_ + floats(x(size_) * size_[1] * planes_);
  image_at_ = rows_at_ + floats(x(size_) * kept_[1] * planes_);
  return image_at_ + floats(x(kept_) * kept_[1] * planes_);
}

void ImagePreparation::state_facts(PlanContext& plan) const {
  const auto list = [](const std::vector<double>& v) { return kernels::to_parameter_text(v); };
  const Intensity& i = intensity_;
  plan.fact("intensity", i.kind == Intensity::Kind::none
                             ? std::string("none")
                             : "clip " + kernels::to_parameter_text(i.low) + " " + kernels::to_parameter_text(i.high) +
                                   " scale " + kernels::to_parameter_text(i.from) + " " +
                                   kernels::to_parameter_text(i.to));
  plan.fact("resized_to", text(resized_) + (cubic_ ? ", bicubic" : ", bilinear"));
  plan.fact("image", text(crop_));
  plan.fact("mean", list(mean_));
  plan.fact("deviation", list(deviation_));
}

void ImagePreparation::take(const RunContext& run) {
  const PayloadRef in = run.input("input");
  grey_ = coloured_ ? nullptr : in.tensor("voxels").as<const float>();
  colour_ = coloured_ ? in.tensor("pixels").as<const std::uint8_t>() : nullptr;
}

void ImagePreparation::prepare(const kernels::Launcher& l, std::byte* scratch, std::int64_t image, float* to) const {
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
  to_network.out = to;
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

}  // namespace isocenter::infer
