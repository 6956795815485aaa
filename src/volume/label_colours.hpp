#pragma once
#include <cstddef>
#include <vector>

namespace isocenter::detail {

/// Three sRGB numbers in [0, 1] for each of `labels` labels where nobody says their colours: the background black, then
/// eight that are well apart in hue, again and again.
inline std::vector<double> label_colours(int labels) {
  constexpr double palette[][3] = {{0.89, 0.10, 0.11}, {0.22, 0.49, 0.72}, {0.30, 0.69, 0.29}, {0.60, 0.31, 0.64},
                                   {1.00, 0.50, 0.00}, {1.00, 1.00, 0.20}, {0.65, 0.34, 0.16}, {0.97, 0.51, 0.75}};
  std::vector<double> colours{0, 0, 0};
  for (int i = 1; i < labels; ++i)
    for (const double c : palette[static_cast<std::size_t>(i - 1) % 8]) colours.push_back(c);
  return colours;
}

}  // namespace isocenter::detail
