#pragma once
// What a model file says of itself in its metadata_props, so that it can be used without a word of configuration. The
// keys are described in docs/infer/models.md.
#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace isocenter::infer {

/// How intensities are brought to what the network was trained on.
struct Intensity {
  enum class Kind { none, clip, z_score } kind = Kind::none;
  double low = 0, high = 0;  ///< clip: values are held to [low, high] ...
  double from = 0, to = 1;   ///< ... and that range goes linearly to [from, to]
};

struct ModelCard {
  std::vector<std::string> class_names;             ///< entry i names label i, entry 0 the background
  std::vector<double> class_colours;                ///< three sRGB numbers in [0, 1] for each label
  std::optional<std::array<double, 3>> spacing_mm;  ///< x, y, z: what the network was trained at
  std::optional<std::array<int, 3>> window;         ///< x, y, z in voxels
  std::string axes;                                 ///< "LPS" and its like, "any", or "" where nothing is stated
  std::optional<Intensity> intensity;

  // Of networks that classify images.
  std::vector<double> resize, crop;     ///< one or two numbers of pixels, x first; empty where nothing is stated
  std::vector<double> mean, deviation;  ///< of each channel, or one for all; empty where nothing is stated
  std::string interpolation;            ///< "bilinear", "bicubic" or ""
  std::string activation;               ///< "none", "softmax", "sigmoid" or ""
};

/// Errors: bad_data, naming file and key, for a value that cannot be read or is out of its range.
ModelCard read_model_card(const std::map<std::string, std::string>& metadata, const std::string& source);

/// "none", "z_score", or "clip LOW HIGH scale FROM TO"; `where` names it in the message.
Intensity parse_intensity(const std::string& text, const std::string& where);

}  // namespace isocenter::infer
