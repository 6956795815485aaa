#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// The mean of several networks' results, and how far they disagree.
///
/// | port                 | payload | shape        | unit                        |
/// |----------------------|---------|--------------|-----------------------------|
/// | input_1 ... input_8  | Volume  | any, all the same | any, all the same      |
/// | output               | Volume  | as the inputs | as the inputs              |
/// | variance             | Volume  | as the inputs | the unit squared: 1 of 1, HU2 of HU |
///
/// Two to eight are connected, from input_1 on in any choice: folds of a cross-validation, or one network on images
/// that were prepared differently. The variance is a population's. The members are added in the order of their ports.
/// Scratch: none. Errors: invalid_argument with fewer than two; bad_data when grids, shapes or units differ.
struct Ensemble {
  static constexpr const char* name = "ensemble";
  static constexpr const char* module = "volume";
  static constexpr const char* summary = "Mean and variance of several networks' results.";
  static constexpr const char* help = "Scores of network_inference in; scores_to_labels makes labels of the mean.";
  struct Params {
    static constexpr auto describe() { return std::tuple{}; }
  };
  struct Ports {
    In<Volume> input_1{"input_1", "A member.", optional_port};
    In<Volume> input_2{"input_2", "A member.", optional_port};
    In<Volume> input_3{"input_3", "A member.", optional_port};
    In<Volume> input_4{"input_4", "A member.", optional_port};
    In<Volume> input_5{"input_5", "A member.", optional_port};
    In<Volume> input_6{"input_6", "A member.", optional_port};
    In<Volume> input_7{"input_7", "A member.", optional_port};
    In<Volume> input_8{"input_8", "A member.", optional_port};
    Out<Volume> output{"output", "The mean."};
    Out<Volume> variance{"variance", "The variance."};
    static constexpr auto describe() {
      return std::tuple{&Ports::input_1, &Ports::input_2, &Ports::input_3, &Ports::input_4, &Ports::input_5,
                        &Ports::input_6, &Ports::input_7, &Ports::input_8, &Ports::output,  &Ports::variance};
    }
  };
};

}  // namespace isocenter::inline v1
