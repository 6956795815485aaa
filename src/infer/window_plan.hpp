#pragma once
// Where the windows of a sliding-window inference lie and how their results are weighted, axis by axis: windows and
// weights are products of three one-dimensional tables, so that no weight volume is needed.
#include <cstdint>
#include <vector>

namespace isocenter::infer {

/// First positions of windows that cover [0, size): evenly spread, neighbours overlapping by at least `overlap` (a part
/// of the window, in [0, 1)). {0} where the window is as large as the axis or larger.
std::vector<int> window_starts(int size, int window, double overlap);

/// A Gaussian about the window's middle with σ = window / 8, at least 1e-3: what lies at the border saw less context.
/// Weighting and its width as in F. Isensee et al., "nnU-Net", Nature Methods 18 (2021), supplement, inference.
std::vector<float> window_weights(int window);

/// For each position the sum of the weights of all windows that cover it.
std::vector<double> weight_sums(int size, int window, const std::vector<int>& starts);

/// Two neighbours on the network's axis for each position of the volume's axis, and their weights, divided by the sums.
struct AxisReading {
  std::vector<std::int32_t> index;  ///< [position][2]
  std::vector<float> weight;
};

/// The volume's axis has `size` positions, the network's `network_size` positions, `ratio` of them for one of the
/// volume's; both begin at the same border. With ratio 1 each position reads itself.
AxisReading read_axis(int size, int network_size, double ratio, const std::vector<double>& sums);

}  // namespace isocenter::infer
