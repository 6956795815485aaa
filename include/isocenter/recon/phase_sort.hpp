#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

enum class PhaseSource { signal, period, file };

/// Finds the motion phase of every view, so that a reconstruction can make one volume for each phase.
///
/// | port   | payload     | shape                  | unit     |
/// |--------|-------------|------------------------|----------|
/// | input  | Projections | views × rows × columns | any      |
/// | output | Projections | as input               | as input |
///
/// source = signal: from the attribute "motion.signal", one number a view (a belt's or a shroud's breathing depth). A
/// cycle runs from one minimum (exhaled) to the next, and the phase is linear in time between them: Ford et al., Med.
/// Phys. 30 (2003) 88. A minimum counts when the signal rose by 0.3 of its range since the last one; before the first
/// and after the last one the neighbouring cycle's length goes on. source = period: phase = (t - start_s) / period_s,
/// from the views' time stamps. source = file: as signal, from a text file with one number a view, as amsterdam_shroud
/// finds it in the projections themselves (a session of its own, because phases belong to what is planned). The
/// output's attributes: the views' phases in "acquisition.views", "acquisition.phases" (their number) and
/// "acquisition.period_s" (the mean cycle). Errors: bad_data when there are no views, the signal is missing, of another
/// length, or holds no full cycle; invalid_argument when source is period and period_s is 0, or file and signal_file is
/// empty; those of reading the file.
struct PhaseSort {
  static constexpr const char* name = "phase_sort";
  static constexpr const char* module = "recon";
  static constexpr const char* summary = "Assigns a motion phase to every view.";
  static constexpr const char* help = "Phase-based sorting as in respiration-correlated cone-beam CT.";
  struct Params {
    std::int64_t phases = 10;
    PhaseSource source = PhaseSource::signal;
    double period_s = 0;
    double start_s = 0;
    std::string signal_file = {};
    static constexpr const char* sources[] = {"signal", "period", "file"};
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::phases, "phases", Unit::none, 1, 1000, "How many phases a cycle is cut into."),
          choice(&Params::source, "source", sources,
                 "The attribute \"motion.signal\", a known period, or signal_file."),
          param(&Params::period_s, "period_s", Unit::s, 0, 1000, "source = period: one cycle."),
          param(&Params::start_s, "start_s", Unit::s, -1e9, 1e9, "source = period: a moment of phase 0."),
          param(&Params::signal_file, "signal_file", "source = file: text with one number a view.", isocenter::path),
      };
    }
  };
  struct Ports {
    In<Projections> input{"input", "Projections with time stamps."};
    Out<Projections> output{"output", "The same with phases."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
