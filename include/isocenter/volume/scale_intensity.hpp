#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

enum class IntensityMethod { window, z_score, percentiles };

/// Brings a volume's values to the range that a network was trained on.
///
/// | port     | payload | shape                            | unit     |
/// |----------|---------|----------------------------------|----------|
/// | input    | Volume  | zyx or tzyx                      | any      |
/// | measured | Volume  | any, with as many frames         | as input |
/// | output   | Volume  | as input                         | none     |
///
/// window: `low` and `high` (a CT window's ends, in the input's unit) go to `from` and `to`. z_score: mean 0, standard
/// deviation 1 (of a population; where all values are equal they only become 0). percentiles: as window, between two
/// percentiles of each frame's values, linear between order statistics (R. J. Hyndman and Y. Fan, "Sample quantiles in
/// statistical packages", The American Statistician 50 (1996), definition 7; NumPy's and MONAI's default), exact by
/// counting bits. With `nonzero` values of 0 are neither measured nor changed. NaN is not measured and stays.
/// Where `measured` is connected, its values are measured in place of the input's: a coarse copy, or the whole of what
/// the input is a part of.
///
/// Memory: a row's moments (24 bytes a row) for z_score, 1 MiB for percentiles. The result does not depend on the
/// number of threads. Errors: invalid_argument when low is not below high, percentiles likewise.
struct ScaleIntensity {
  static constexpr const char* name = "scale_intensity";
  static constexpr const char* module = "volume";
  static constexpr const char* summary = "Brings values to a range: window, z-score, percentiles.";
  static constexpr const char* help =
      "What MONAI calls ScaleIntensityRange, NormalizeIntensity and ScaleIntensityRangePercentiles.";
  struct Params {
    IntensityMethod method = IntensityMethod::window;
    double low = -1000;
    double high = 1000;
    double lower_percentile = 0.5;
    double upper_percentile = 99.5;
    double from = 0;
    double to = 1;
    bool clip = true;
    bool nonzero = false;
    static constexpr const char* methods[] = {"window", "z_score", "percentiles"};
    static constexpr auto describe() {
      return std::tuple{
          choice(&Params::method, "method", methods, "How the range is found."),
          param(&Params::low, "low", Unit::none, -1e9, 1e9, "window: the value that becomes `from`."),
          param(&Params::high, "high", Unit::none, -1e9, 1e9, "window: the value that becomes `to`."),
          param(&Params::lower_percentile, "lower_percentile", Unit::percent, 0, 100, "What becomes `from`."),
          param(&Params::upper_percentile, "upper_percentile", Unit::percent, 0, 100, "What becomes `to`."),
          param(&Params::from, "from", Unit::none, -1e9, 1e9, "window, percentiles: the lower end of the result."),
          param(&Params::to, "to", Unit::none, -1e9, 1e9, "window, percentiles: the upper end of the result."),
          param(&Params::clip, "clip", "window, percentiles: values beyond the ends are held to them."),
          param(&Params::nonzero, "nonzero", "Values of 0 are left out: for images whose background is 0."),
      };
    }
  };
  struct Ports {
    In<Volume> input{"input", "The volume."};
    In<Volume> measured{"measured", "What is measured in place of the input.", optional_port};
    Out<Volume> output{"output", "The volume on its new scale."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::measured, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
