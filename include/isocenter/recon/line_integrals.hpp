#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

enum class BadCounts { clamp, refuse };

/// Raw counts to line integrals: dark and open-beam correction, defective pixels found and repaired, logarithm.
///
/// | port       | payload     | shape                       | unit                                   |
/// |------------|-------------|-----------------------------|----------------------------------------|
/// | input      | Projections | views × rows × columns      | counts                                 |
/// | dark       | Projections | frames × rows × columns     | counts without beam (optional)         |
/// | flat       | Projections | frames × rows × columns     | counts without object (optional)       |
/// | bad_pixels | Projections | 1 × rows × columns          | not 0: defective (optional)            |
/// | output     | Projections | as input                    | 1                                      |
/// | defects    | Projections | 1 × rows × columns          | 0, or why a pixel was replaced (below) |
///
/// p = ln i0 - ln((counts - dark) / (flat - dark)), with the frames' means; without flats, flat - dark is i0_counts.
/// i0 is 1, or with border_columns the mean transmission of each view over that many columns at both sides of the
/// detector (all rows), which must see no object: it follows a beam whose output drifts.
///
/// Defects, in the order of precedence: 1 in bad_pixels; 2 flat - dark differs by more than response_tolerance_percent
/// from the median of the 9 × 3 pixels around it, or is not positive; 3 dark differs from that median by more than
/// offset_tolerance_percent of flat - dark (a hot pixel); 4 its dark frames' standard deviation is above noise_factor
/// times the median (from 4 frames on); 5 its flat frames are all the same while those around it are not (from 8 frames
/// on). A defective pixel becomes the mean of its nearest good neighbours to the left, right, above and below, weighted
/// with 1 / distance.
///
/// Counts that have no logarithm: counts - dark below minimum_counts, NaN or infinite becomes minimum_counts (clamp),
/// or fails the item (refuse). How many that were in each view and row is the output's tensor "clamped" (axes
/// "nv"), their sum the metric of this name; a warning has their share and the first place, for the first such item and
/// for items with twice the share of the last one warned of.
///
/// Metrics: defects, clamped, above_i0 (without border_columns: % of readings above 1.25 times the open beam; a warning
/// above 10 %, and for items with twice the share of the last one warned of), i0 (mean over the views),
/// border_imbalance (the largest |ln(left / right)|; a warning above 0.1). Cost: 9 × 3 medians and two passes over the
/// frames once for each item, one read and one write for each element. Errors: bad_data for an input of unit 1, when
/// detectors disagree in shape, when the dark is brighter than the flat, or when more than largest_defect_percent of
/// the pixels are defective (on a device these are seen by the host, which waits for the frames' figures before the
/// logarithm is taken); invalid_argument when there is neither flat, i0_counts nor border_columns.
struct LineIntegrals {
  static constexpr const char* name = "line_integrals";
  static constexpr const char* module = "recon";
  static constexpr const char* summary =
      "Raw counts, dark and flat frames to line integrals; defective pixels repaired.";
  static constexpr const char* help =
      "Dark and open-beam correction, defects from the frames' statistics, open-beam intensity from the border, -ln.";
  struct Params {
    double i0_counts = 0;
    double dark_counts = 0;
    std::int64_t border_columns = 0;
    BadCounts bad_counts = BadCounts::clamp;
    double minimum_counts = 1;
    double response_tolerance_percent = 50;
    double offset_tolerance_percent = 10;
    double noise_factor = 5;
    double largest_defect_percent = 5;
    static constexpr const char* rules[] = {"clamp", "refuse"};
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::i0_counts, "i0_counts", Unit::none, 0, 1e30,
                "Without flats: counts of the open beam above the dark; 0: from the border columns."),
          param(&Params::dark_counts, "dark_counts", Unit::none, -1e30, 1e30,
                "Without dark frames: counts without beam, the same for all pixels."),
          param(&Params::border_columns, "border_columns", Unit::px, 0, 10000,
                "Columns at each side of the detector that see no object and give each view's i0; 0: i0 as given."),
          choice(&Params::bad_counts, "bad_counts", rules,
                 "Counts without a logarithm: set to minimum_counts and counted, or the item is refused."),
          param(&Params::minimum_counts, "minimum_counts", Unit::none, 1e-6, 1e30,
                "The least counts above the dark that are believed."),
          param(&Params::response_tolerance_percent, "response_tolerance_percent", Unit::percent, 1, 100,
                "How far flat - dark may be from its neighbours' median; 100: only dead pixels are found."),
          param(&Params::offset_tolerance_percent, "offset_tolerance_percent", Unit::percent, 0.01, 1e6,
                "How far dark may be from its neighbours' median, in parts of flat - dark."),
          param(&Params::noise_factor, "noise_factor", Unit::none, 1.5, 1e6,
                "How noisy the dark frames may be, in medians of the neighbours' standard deviations."),
          param(&Params::largest_defect_percent, "largest_defect_percent", Unit::percent, 0, 100,
                "More defective pixels than this are an error: the frames are then wrong, not the pixels."),
      };
    }
  };
  struct Ports {
    In<Projections> input{"input", "Raw counts."};
    In<Projections> dark{"dark", "Frames without beam.", optional_port};
    In<Projections> flat{"flat", "Frames with beam and without object.", optional_port};
    In<Projections> bad_pixels{"bad_pixels", "One frame: not 0 where a pixel is known to be defective.", optional_port};
    Out<Projections> output{"output", "Line integrals."};
    Out<Projections> defects{"defects", "One frame: 0, or why the pixel was replaced."};
    static constexpr auto describe() {
      return std::tuple{&Ports::input, &Ports::dark, &Ports::flat, &Ports::bad_pixels, &Ports::output, &Ports::defects};
    }
  };
};

}  // namespace isocenter::inline v1
