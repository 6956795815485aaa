#pragma once
// What a MONAI bundle says is to be done with a volume: read from its folder, checked, with everything that is not
// understood refused by name.
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "volume/scores.hpp"

namespace isocenter::infer {

/// Axes and numbers in MONAI's order: of an array [i][j][k], k fastest in memory.
struct BundleStep {
  enum class Kind { scale_range, z_score, percentiles, spacing, resize, foreground, crop, pad, pad_to } kind;
  double low = 0, high = 1;  ///< scale_range: values; percentiles: percentiles
  double from = 0, to = 1;
  bool clip = false;
  bool nonzero = false;
  std::array<double, 3> spacing_mm{};  ///< spacing; 0: the volume's own
  /// resize: extents; crop: extents of the middle, 0: all; pad: divisors; pad_to: least extents, 0: as it is
  std::array<int, 3> size{};
  bool at_end = false;  ///< pad, pad_to: nothing is put before the volume
  int margin = 0;       ///< foreground: voxels that are kept around it, within the volume
};

struct BundleRecipe {
  using Activation = isocenter::detail::ScoreScale;

  std::string model;        ///< the ONNX file
  std::string version;      ///< of the bundle, "" where it states none
  std::string orientation;  ///< "RAS" and its like: where i, j, k grow to; "" where the volume is taken as it comes
  std::vector<BundleStep> steps;

  std::array<int, 3> window{};  ///< 0: the whole volume
  double overlap = 0;
  bool gaussian = false;
  double sigma = 0.125;  ///< of the Gaussian, in windows

  Activation activation = Activation::none;
  std::optional<double> threshold;  ///< else the channel with the largest score
  bool nearest_back = true;         ///< labels or scores go back to the volume's grid by the nearest voxel
  bool inverted = false;            ///< there is an Invertd
  int largest = 0;                  ///< parts that are kept of each label; 0: all
  int connectivity = 26;
  int filled = 0;                  ///< neighbours of a hole's voxels where holes are filled: 6, 18 or 26; 0: they stay
  bool filled_first = false;       ///< before the largest parts are kept
  std::vector<int> filled_labels;  ///< in their order; empty: all

  int smallest = 0;  ///< voxels of a part that stays, at the end; 0: all stay
  int small_connectivity = 6;
  bool small_of_all = false;  ///< parts of any label; else of one

  /// What metadata.json says of the input where it says it: the modality in DICOM's word, the values' range, and the
  /// extents that the network takes, i, j, k (0: any).
  std::string modality;
  std::optional<std::array<double, 2>> value_range;
  std::array<int, 3> spatial_shape{};
  /// Where the files do not fit one another in a way that may be meant; for warnings.
  std::vector<std::string> contradictions;

  int input_channels = 0, output_channels = 0;  ///< as metadata.json states them; 0 where it does not
  std::vector<std::string> labels;              ///< channel_def, by channel; empty where it is not there
};

/// Errors: not_found (no folder, configuration or model), unsupported (a transform, parameter or expression, with file
/// and line), bad_data (files that contradict themselves or one another).
BundleRecipe read_bundle(const std::string& folder);

}  // namespace isocenter::infer
