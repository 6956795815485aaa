#include "infer/label_style.hpp"

#include <cstddef>

namespace isocenter::infer {
namespace {

constexpr double palette[][3] = {{0, 0, 0},          {0.89, 0.10, 0.11}, {0.22, 0.49, 0.72},
                                 {0.30, 0.69, 0.29}, {0.60, 0.31, 0.64}, {1.00, 0.50, 0.00},
                                 {1.00, 1.00, 0.20}, {0.65, 0.34, 0.16}, {0.97, 0.51, 0.75}};
constexpr std::size_t palette_size = sizeof palette / sizeof palette[0];

}  // namespace

std::vector<double> label_colours(int labels) {
  std::vector<double> all;
  for (int i = 0; i < labels; ++i)
    for (const double c : palette[i == 0 ? 0 : 1 + (static_cast<std::size_t>(i) - 1) % (palette_size - 1)])
      all.push_back(c);
  return all;
}

std::string label_names(const std::vector<std::string>& names, int labels) {
  std::string joined;
  for (int i = 0; i < labels; ++i) {
    const std::string name =
        !names.empty() ? names[static_cast<std::size_t>(i)] : (i == 0 ? "background" : "class " + std::to_string(i));
    joined += (i == 0 ? "" : "\\") + name;
  }
  return joined;
}

}  // namespace isocenter::infer
