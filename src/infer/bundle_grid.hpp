#pragma once
// The grids that MONAI's transforms make and the windows of its inferer, axis by axis: positions and weights as tables.
#include <cstdint>
#include <vector>

namespace isocenter::infer {

/// Two neighbours of an axis for each position of another, and their weights: [position][2].
struct AxisPairs {
  std::vector<std::int32_t> index;
  std::vector<float> weight;
  int size() const { return static_cast<int>(index.size() / 2); }
};

/// How positions of a changed axis lie on the axis that it came from.
struct AxisChange {
  enum class Rule {
    keep,
    first_centre,  ///< Spacing: position i lies at i * step; both begin at the same centre
    borders        ///< Resize: position i at (i + 0.5) * step - 0.5; both begin and end at the same borders
  } rule = Rule::keep;
  int from = 1, to = 1;  ///< extents
  double step = 1;       ///< voxels of `from` for one of `to`
  double back = 1;       ///< and of `to` for one of `from`, as rounded by itself: halves are to stay halves
};

/// MONAI's Spacing along one axis: round((n - 1) * ratio) + 1 voxels, halves to the even number.
double spaced_extent(int size, double spacing_mm, double wanted_mm);
/// spaced_extent() fits in an int.
AxisChange spacing_change(int size, double spacing_mm, double wanted_mm);
AxisChange resize_change(int size, int wanted);

/// Linear, held at the border: what fills the changed axis.
AxisPairs forward(const AxisChange& change);
/// What fills the axis that it came from, from the changed one, whose positions begin at `offset` of a padded one.
AxisPairs backward(const AxisChange& change, bool nearest, int offset);

/// First positions of MONAI's windows: steps of int(window * (1 - overlap)), the last window moved inside.
std::vector<int> bundle_window_starts(int size, int window, double overlap);
/// The same into a vector that was as long before: nothing is allocated.
void bundle_window_starts(int size, int window, double overlap, std::vector<int>& starts);

/// MONAI's importance map, [z][y][x] for windows x, y, z: ones, or a Gaussian with sigma in windows, at least 1e-3.
std::vector<float> importance_map(const int (&window)[3], bool gaussian, double sigma);

}  // namespace isocenter::infer
