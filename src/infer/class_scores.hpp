#pragma once
// What is made of a classifier's numbers: probabilities, names, the best classes of each image, and where they go.
#include <array>
#include <isocenter/infer/classify_image.hpp>
#include <span>
#include <string>
#include <vector>

#include "infer/model_card.hpp"
#include "infer/onnx_model.hpp"

namespace isocenter::infer {

class ClassScores {
 public:
  /// By the parameter, else the model. Errors: invalid_argument where neither says.
  void choose_activation(const ClassifyImage::Params& params, const OnnxModel& model, const ModelCard& card);
  /// After choose_activation. Errors: bad_data where names are not as many as classes.
  void choose(const ClassifyImage::Params& params, const OnnxModel& model, const ModelCard& card, int classes,
              int images);
  /// The output for images of `size` pixels, and the metrics.
  void describe(PlanContext& plan, const PayloadRef& in, const std::array<int, 2>& size, const std::string& model,
                const std::string& digest);
  void state_facts(PlanContext& plan) const;

  /// Of the network's numbers, classes fastest; `by_class` gets the scores with images fastest.
  void rate(std::span<const float> logits, float* by_class);
  /// To the output's attributes and the metrics.
  void tell(const RunContext& run);

 private:
  void choose_names(const ClassifyImage::Params& params, const OnnxModel& model, const ModelCard& card);
  void rate(std::span<const float> logits);

  int classes_ = 0, images_ = 0;
  ClassScale scale_ = ClassScale::none;
  std::vector<std::string> names_;
  std::int64_t top_ = 0;
  std::vector<double> scores_, top_classes_, top_scores_, column_;
  std::vector<int> order_;
  std::vector<std::string> score_metrics_;
};

}  // namespace isocenter::infer
