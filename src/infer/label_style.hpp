#pragma once
// What labels are called and coloured where nobody says it.
#include <string>
#include <vector>

namespace isocenter::infer {

/// Three sRGB numbers in [0, 1] for each of `labels` labels, the background black, neighbours well apart in hue.
std::vector<double> label_colours(int labels);
/// "background\class 1\class 2", or the names that are given; `labels` of them.
std::string label_names(const std::vector<std::string>& names, int labels);

}  // namespace isocenter::infer
