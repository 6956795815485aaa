#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

enum class LagState { item, stream };

/// Takes the afterglow of earlier views out of each view: the detector's response is a sum of exponentials.
///
/// | port   | payload     | shape                  | unit                                    |
/// |--------|-------------|------------------------|-----------------------------------------|
/// | input  | Projections | views × rows × columns | counts (before line_integrals), in time |
/// | output | Projections | as input               | counts                                  |
///
/// An exposure of 1 gives 1 - Σ fₙ in its own view at once, and fₙ spread over it and all later views as
/// fₙ (1 - e^{-aₙ}) e^{-aₙ k}: altogether 1. The recursion inverts that exactly, one state for each pixel and
/// exponential: Hsieh, Gurmen and King, IEEE Trans. Med. Imaging 19 (2000) 930; for flat panels Starman et al., Med.
/// Phys. 39 (2012) 6035. fₙ and aₙ are the detector's, measured from a falling or rising edge; views are equally spaced
/// in time and in the order in which they were taken.
///
/// state = item: the detector is rested at the start of each scan, which is an item, or "acquisition.view_blocks" of
/// them. stream: an item goes on where the last one ended, for views that arrive one by one. Memory: a float for each
/// pixel and exponential. Cost: one read and one write for each element. Errors: invalid_argument when fractions and
/// rates differ in number, or Σ fₙ is 1 or more; NaN stays in its pixel to the end of the item (line_integrals counts
/// it).
struct DetectorLag {
  static constexpr const char* name = "detector_lag";
  static constexpr const char* module = "recon";
  static constexpr const char* summary = "Takes a detector's afterglow out of raw counts.";
  static constexpr const char* help = "Recursive inversion of a multi-exponential response (Hsieh 2000).";
  struct Params {
    std::vector<double> fractions;
    std::vector<double> rates_per_view;
    double dark_counts = 0;
    LagState state = LagState::item;
    static constexpr const char* states[] = {"item", "stream"};
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::fractions, "fractions", Unit::none, 0, 1, "Share of the signal in each exponential (1 to 4)."),
          param(&Params::rates_per_view, "rates_per_view", Unit::none, 1e-6, 50,
                "Decay of each exponential from one view to the next: e^-rate is left."),
          param(&Params::dark_counts, "dark_counts", Unit::none, -1e30, 1e30, "Counts without exposure."),
          choice(&Params::state, "state", states,
                 "Whether each item (the first of a scan in blocks) begins with a rested detector, or goes on."),
      };
    }
  };
  struct Ports {
    In<Projections> input{"input", "Raw counts in the order of time."};
    Out<Projections> output{"output", "What each view alone would have given."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
