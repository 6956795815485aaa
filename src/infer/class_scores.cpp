#include "infer/class_scores.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <sstream>

namespace isocenter::infer {
namespace {

constexpr int named_metrics = 32;

}  // namespace

void ClassScores::choose_activation(const ClassifyImage::Params& params, const OnnxModel& model,
                                    const ModelCard& card) {
  scale_ = params.activation;
  if (scale_ == ClassScale::model) {
    if (card.activation.empty())
      throw Failure(ErrorCode::invalid_argument,
                    model.source +
                        ": neither activation nor the model's metadata 'isocenter.activation' says what its " +
                        "scores are",
                    "set activation to softmax (one class of all), sigmoid (each by itself) or none");
    scale_ = card.activation == "softmax"   ? ClassScale::softmax
             : card.activation == "sigmoid" ? ClassScale::sigmoid
                                            : ClassScale::none;
  }
}

void ClassScores::choose(const ClassifyImage::Params& params, const OnnxModel& model, const ModelCard& card,
                         int classes, int images) {
  classes_ = classes;
  images_ = images;
  if (classes_ == 1 && scale_ == ClassScale::softmax)
    throw Failure(ErrorCode::invalid_argument, "activation = softmax over one class is 1 for every image",
                  "set activation to sigmoid, or to none for probabilities");
  choose_names(params, model, card);
  top_ = std::min<std::int64_t>(params.top, classes_);
}

void ClassScores::choose_names(const ClassifyImage::Params& params, const OnnxModel& model, const ModelCard& card) {
  names_ = card.class_names;
  std::string where = model.source + ": the metadata 'isocenter.class_names'";
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

void ClassScores::describe(PlanContext& plan, const PayloadRef& in, const std::array<int, 2>& size,
                           const std::string& model, const std::string& digest) {
  const auto images = static_cast<std::size_t>(images_), classes = static_cast<std::size_t>(classes_);
  scores_.assign(images * classes, 0);
  column_.assign(images, 0);
  order_.resize(classes);
  top_classes_.assign(images * static_cast<std::size_t>(top_), 0);
  top_scores_ = top_classes_;

  PayloadRef out = plan.output("output");
  out.set_tensor("voxels", tensor(DType::float32, "czyx", {classes_, images_, 1, 1}));
  Geometry g = in.geometry();  // one voxel for each image, around its middle
  const auto middle = g.position_mm(0.5 * (size[0] - 1), 0.5 * (size[1] - 1), 0);
  std::copy(middle.begin(), middle.end(), g.origin_mm);
  g.spacing_mm[0] *= size[0];
  g.spacing_mm[1] *= size[1];
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
  out.set_text("classification.model", std::filesystem::path(model).filename().string());
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

void ClassScores::state_facts(PlanContext& plan) const {
  plan.fact("activation", ClassifyImage::Params::scales[static_cast<std::size_t>(scale_)]);
  std::string names;
  for (std::size_t c = 0; c < names_.size(); ++c) names += (c == 0 ? "" : ", ") + std::to_string(c) + " = " + names_[c];
  plan.fact("classes", names);
}

void ClassScores::rate(std::span<const float> logits, float* by_class) {
  rate(logits);
  for (std::int64_t image = 0; image < images_; ++image)
    for (std::int64_t c = 0; c < classes_; ++c)
      by_class[c * images_ + image] = static_cast<float>(scores_[static_cast<std::size_t>(image * classes_ + c)]);
}

/// Softmax or sigmoid in double, and the best classes of each image.
void ClassScores::rate(std::span<const float> logits) {
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

void ClassScores::tell(const RunContext& run) {
  PayloadRef out = run.output("output");
  out.set_numbers("classification.scores", scores_);
  out.set_numbers("classification.top", top_classes_);
  run.metric("top_class", top_classes_);
  run.metric("top_score", top_scores_);
  const auto classes = static_cast<std::size_t>(classes_);
  for (std::size_t c = 0; c < score_metrics_.size(); ++c) {
    for (std::size_t image = 0; image < column_.size(); ++image) column_[image] = scores_[image * classes + c];
    run.metric(score_metrics_[c].c_str(), column_);
  }
}

}  // namespace isocenter::infer
