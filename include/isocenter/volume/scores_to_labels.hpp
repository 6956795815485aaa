#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

enum class ScoreActivation { none, softmax, sigmoid };

/// Scores of a network to labels, with probabilities and how uncertain they are.
///
/// | port          | payload      | shape | unit                                              |
/// |---------------|--------------|-------|---------------------------------------------------|
/// | input         | Volume       | czyx  | scores, or probabilities with activation none     |
/// | output        | Segmentation | zyx   | uint8: the channel with the largest score         |
/// | probabilities | Volume       | czyx  | after the activation, unit 1                      |
/// | uncertainty   | Volume       | zyx   | entropy of the probabilities over its largest value, unit 1 |
///
/// With one channel label 1 stands where the probability is at least `threshold`. Of equal scores the lower channel
/// wins. The uncertainty is 0 where one probability is 1, and 1 where all are equal. Errors: bad_data for other axes,
/// or more than 256 channels.
struct ScoresToLabels {
  static constexpr const char* name = "scores_to_labels";
  static constexpr const char* module = "volume";
  static constexpr const char* summary = "Labels, probabilities and uncertainty from a network's scores.";
  static constexpr const char* help =
      "Behind network_inference or ensemble. A score that is NaN never wins: of several channels the "
      "label is another one, and the background where the first channel is NaN.";
  struct Params {
    ScoreActivation activation = ScoreActivation::softmax;
    double threshold = 0.5;
    std::string names;
    static constexpr const char* activations[] = {"none", "softmax", "sigmoid"};
    static constexpr auto describe() {
      return std::tuple{
          choice(&Params::activation, "activation", activations, "How scores become probabilities."),
          param(&Params::threshold, "threshold", Unit::none, -1e6, 1e6, "One channel: the probability's limit."),
          param(&Params::names, "names",
                "Names of the labels, the background first, '/' between them; empty: numbers."),
      };
    }
  };
  struct Ports {
    In<Volume> input{"input", "The scores."};
    Out<Segmentation> output{"output", "The labels."};
    Out<Volume> probabilities{"probabilities", "The probabilities."};
    Out<Volume> uncertainty{"uncertainty", "The entropy."};
    static constexpr auto describe() {
      return std::tuple{&Ports::input, &Ports::output, &Ports::probabilities, &Ports::uncertainty};
    }
  };
};

}  // namespace isocenter::inline v1
