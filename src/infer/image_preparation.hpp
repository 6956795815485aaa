#pragma once
// What comes before a network for classification: an image's intensities, its size, the part that the network sees, and
// the channels' means and deviations.
#include <array>
#include <isocenter/infer/classify_image.hpp>
#include <string>
#include <vector>

#include "core/launch.hpp"
#include "infer/model_card.hpp"
#include "infer/onnx_model.hpp"

namespace isocenter::infer {

class ImagePreparation {
 public:
  using Pair = std::array<int, 2>;  // x, y

  /// By the parameters, else the model. Errors: unsupported for images or a model of other shapes, invalid_argument for
  /// parameters that contradict them.
  void choose(const PayloadRef& in, const ClassifyImage::Params& params, const OnnxModel& model, const ModelCard& card);
  /// Tables that live with the session.
  void plan(PlanContext& plan);
  /// Places in the scratch memory from byte `first` on; gives the end.
  std::int64_t lay_out(std::int64_t first);
  void state_facts(PlanContext& plan) const;

  int images() const { return images_; }
  const Pair& size() const { return size_; }
  /// Of the network's image.
  int channels() const { return channels_; }
  const Pair& crop() const { return crop_; }
  std::int64_t image_floats() const { return static_cast<std::int64_t>(channels_) * crop_[0] * crop_[1]; }

  /// The item whose images come.
  void take(const RunContext& run);
  /// Image number `image` of it to `to`, image_floats() of the network's input.
  void prepare(const isocenter::detail::Launcher& l, std::byte* scratch, std::int64_t image, float* to) const;

 private:
  void read_images(const PayloadRef& in);
  void read_model_input(const OnnxModel& model);
  void choose_intensity(const ClassifyImage::Params& params, const ModelCard& card);
  void choose_sizes(const ClassifyImage::Params& params, const OnnxModel& model, const ModelCard& card);
  void spread(std::vector<double>& v, const char* what, double otherwise, const std::string& model) const;
  void plan_resizing(PlanContext& plan);

  // The images.
  const float* grey_ = nullptr;
  const std::uint8_t* colour_ = nullptr;
  bool coloured_ = false;
  int images_ = 0, channels_ = 0, planes_ = 0;
  Pair size_{}, resized_{}, crop_{};
  Pair kept_{};    ///< of the resized image, within the crop
  Pair placed_{};  ///< where that lies in the network's image
  Intensity intensity_;
  bool cubic_ = false;
  std::vector<double> mean_, deviation_;

  // On the device, for the session's life.
  std::array<const std::int32_t*, 2> tap_indices_{};
  std::array<const float*, 2> tap_weights_{};
  std::array<int, 2> taps_{};
  const float* constants_ = nullptr;      ///< 1, 0, the latter also as an index
  const float* normalisation_ = nullptr;  ///< a factor for each channel, then an offset for each

  // In the scratch memory, bytes.
  std::int64_t planes_at_ = 0, rows_at_ = 0, image_at_ = 0;
};

}  // namespace isocenter::infer
