#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// The breathing signal of a cone-beam scan, from the diaphragm in the projections themselves.
///
/// | port   | payload     | shape                                  | unit |
/// |--------|-------------|----------------------------------------|------|
/// | input  | Projections | views × rows × columns, line integrals | 1    |
/// | signal | Volume      | zyx, 1 × 1 × views                     | mm   |
/// | shroud | Volume      | zyx, 1 × rows × views                  | 1    |
///
/// Method: Zijp, Sonke and van Herk, "Extraction of the respiratory signal from sequential thorax cone-beam X-ray
/// images", ICCR 2004. Of each view, edges from lung above to tissue below are kept (the negative part of the
/// derivative towards the head) and summed over the columns; these sums beside one another are the shroud, in which the
/// diaphragm is a band that goes up and down. The signal is the way between neighbouring views that makes their sums
/// most alike (least squares, with a parabola between rows), added up; less its moving mean over longest_period_s,
/// which is the gantry's part; and smoothed over smooth_s. Breathing depth: large when inhaled, mm at the isocentre.
///
/// phase_sort is given it as a file (signal_file, here and there), or by a program as the attribute "motion.signal".
/// Metrics: breaths, period_s (of phase_sort's cycles). Runs on the CPU. Errors: bad_data for views without ascending
/// times, fewer than eight views or rows, a scan shorter than longest_period_s, readings that are not finite, and when
/// no breath is found; unsupported when rows do not step along the patient's z axis.
struct AmsterdamShroud {
  static constexpr const char* name = "amsterdam_shroud";
  static constexpr const char* module = "recon";
  static constexpr const char* summary = "The breathing signal of a scan, from the diaphragm in its projections.";
  static constexpr const char* help = "Zijp, Sonke and van Herk 2004. Gives the signal, a file of it, and the shroud.";
  static constexpr bool host_only = true;
  struct Params {
    double longest_period_s = 8;
    double smooth_s = 0.4;
    double largest_speed_mm_s = 60;
    std::string signal_file = {};
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::longest_period_s, "longest_period_s", Unit::s, 0.5, 100,
                "The longest breath to be expected; slower changes are taken for the gantry's."),
          param(&Params::smooth_s, "smooth_s", Unit::s, 0, 10, "Over how long the signal is averaged."),
          param(&Params::largest_speed_mm_s, "largest_speed_mm_s", Unit::none, 1, 1000,
                "The fastest motion that is looked for, mm/s at the isocentre."),
          param(&Params::signal_file, "signal_file", "Text to write, one number a view; empty: none.", isocenter::path),
      };
    }
  };
  struct Ports {
    In<Projections> input{"input", "Line integrals with time stamps, in which the diaphragm is seen."};
    Out<Volume> signal{"signal", "Breathing depth at each view."};
    Out<Volume> shroud{"shroud", "Edge strength, rows against views, row 0 first."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::signal, &Ports::shroud}; }
  };
};

}  // namespace isocenter::inline v1
