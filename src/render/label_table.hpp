#pragma once
// The colours of a segmentation's labels.
#include <array>
#include <isocenter/operator.hpp>

namespace isocenter::detail {

/// sRGB of each of 256 labels: from the attribute "labels.colours" (three numbers in [0, 1] for each label), and from a
/// palette of eleven well apart colours where it ends.
std::array<std::array<double, 3>, 256> label_colours(const Payload& segmentation);

/// Throws when a number is no label.
std::array<bool, 256> hidden_labels(const std::vector<double>& labels);

}  // namespace isocenter::detail
