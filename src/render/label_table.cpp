#include "render/label_table.hpp"

#include <algorithm>
#include <cmath>

namespace isocenter::detail {

std::array<std::array<double, 3>, 256> label_colours(const Payload& segmentation) {
  constexpr double palette[][3] = {{0.90, 0.30, 0.24}, {0.20, 0.60, 0.86}, {0.95, 0.77, 0.06}, {0.18, 0.80, 0.44},
                                   {0.61, 0.35, 0.71}, {0.90, 0.49, 0.13}, {0.10, 0.74, 0.61}, {0.91, 0.44, 0.66},
                                   {0.55, 0.76, 0.29}, {0.40, 0.45, 0.95}, {0.75, 0.60, 0.42}};
  const auto given = segmentation.numbers("labels.colours");
  std::array<std::array<double, 3>, 256> colours{};
  for (std::size_t label = 1; label < 256; ++label)
    for (std::size_t c = 0; c < 3; ++c)
      colours[label][c] = label * 3 + c < given.size() ? std::clamp(given[label * 3 + c], 0.0, 1.0)
                                                       : palette[(label - 1) % std::size(palette)][c];
  return colours;
}

std::array<bool, 256> hidden_labels(const std::vector<double>& labels) {
  std::array<bool, 256> hidden{};
  for (const double label : labels) {
    if (label != std::floor(label))
      throw Failure(ErrorCode::invalid_argument,
                    "hidden_labels holds " + to_parameter_text(label) + ", which is no label",
                    "labels are whole numbers from 1 to 255");
    hidden[static_cast<std::size_t>(label)] = true;
  }
  return hidden;
}

}  // namespace isocenter::detail
