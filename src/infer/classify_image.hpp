#pragma once
#include <isocenter/infer/classify_image.hpp>
#include <memory>

#include "core/launch.hpp"
#include "infer/executor.hpp"
#include "infer/graph.hpp"
#include "infer/model_card.hpp"
#include "infer/onnx_model.hpp"

namespace isocenter::infer {

class ClassifyImageOperator final : public OperatorBase<ClassifyImage> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  using Pair = std::array<int, 2>;  // x, y

  void read_images(const PayloadRef& in);
  void read_model_input();
  void choose_intensity(bool clipped_to_bytes);
  void choose_sizes();
  void choose_normalisation(PlanContext& plan);
  void choose_activation();
  void choose_names();
  void plan_executor(PlanContext& plan, const std::string& digest);
  void plan_resizing(PlanContext& plan);
  void plan_scratch(PlanContext& plan);
  void describe_output(PlanContext& plan, const PayloadRef& in, const std::string& digest);
  void state_facts(PlanContext& plan) const;

  const isocenter::detail::Launcher& launcher(const RunContext& run);
  std::int64_t arena_bytes() const;
  /// To place `item` of the network's input.
  void prepare(const isocenter::detail::Launcher& l, std::byte* scratch, std::int64_t image, const Executor& network,
               std::int64_t item) const;
  void rate(std::span<const float> logits);
  void tell(const RunContext& run);

  // The images.
  const float* grey_ = nullptr;
  const std::uint8_t* colour_ = nullptr;
  bool coloured_ = false;
  int images_ = 0, classes_ = 0, channels_ = 0, planes_ = 0;
  Pair size_{}, resized_{}, crop_{};
  Pair kept_{};    ///< of the resized image, within the crop
  Pair placed_{};  ///< where that lies in the network's image

  OnnxModel model_;
  ModelCard card_;
  Intensity intensity_;
  bool cubic_ = false;
  ClassScale scale_ = ClassScale::none;
  std::vector<std::string> names_;
  std::vector<double> mean_, deviation_;
  int batch_ = 1;
  std::unique_ptr<Executor> executor_, rest_;  ///< for batch_ images; for those that are left, where any are
  std::byte* bound_ = nullptr;
  bool on_cpu_ = true;
  isocenter::detail::Launcher launcher_;

  // On the device, for the session's life.
  std::array<const std::int32_t*, 2> tap_indices_{};
  std::array<const float*, 2> tap_weights_{};
  std::array<int, 2> taps_{};
  const float* constants_ = nullptr;      ///< 1, 0, the latter also as an index
  const float* normalisation_ = nullptr;  ///< a factor for each channel, then an offset for each

  // In the scratch memory, bytes.
  std::int64_t planes_at_ = 0, rows_at_ = 0, image_at_ = 0, logits_at_ = 0;

  // What a run gives.
  std::int64_t top_ = 0;
  std::vector<double> scores_, top_classes_, top_scores_, column_;
  std::vector<int> order_;
  std::vector<std::string> score_metrics_;
};

}  // namespace isocenter::infer
