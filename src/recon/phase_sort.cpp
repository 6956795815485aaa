#include <algorithm>
#include <cmath>
#include <fstream>
#include <isocenter/recon/phase_sort.hpp>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "recon/copy_views.hpp"
#include "recon/correction_input.hpp"
#include "recon/geometry_text.hpp"
#include "recon/motion_phase.hpp"

namespace isocenter::detail {

class PhaseSortOperator : public OperatorBase<PhaseSort> {
 public:
  void plan(PlanContext& plan) override {
    const PayloadRef input = plan.input("input");
    const std::span<const View> given = views_of(input);
    if (given.empty())
      throw Failure(ErrorCode::bad_data, "the projections have no attribute acquisition.views",
                    "set one View, with its time, for each projection (isocenter/recon/acquisition.hpp)");
    std::vector<View> views(given.begin(), given.end());
    for (std::size_t n = 0; n < views.size(); ++n)
      if (!std::isfinite(views[n].time_s))
        throw Failure(ErrorCode::bad_data, "view " + std::to_string(n) + " has no time stamp (time_s is not a number)",
                      "set time_s of every View in acquisition.views");
    const std::vector<double> starts = cycle_starts(input, views);
    for (View& v : views) v.phase = phase_in_cycles(v.time_s, starts);

    PayloadRef output = plan.output("output");
    set_views(output, views, beam_of(input), detector_of(input));
    const auto phases = static_cast<double>(params.phases);
    const double period = (starts.back() - starts.front()) / static_cast<double>(starts.size() - 1);
    output.set_numbers("acquisition.phases", {&phases, 1});
    output.set_numbers("acquisition.period_s", {&period, 1});
    output.like(input, "views");
    if (!plan.on_cpu()) plan.require_kernel<CopyViews>();
    plan.fact("phase_sort.cycles", std::to_string(starts.size() - 1));
    plan.fact("phase_sort.mean_period_s", to_parameter_text(period));
  }

  void run(const RunContext& run) override {
    const TensorView from = run.input("input").tensor("views");
    const std::int64_t row = from.extent('u') * from.extent('v');
    launch(launcher_of(run),
           CopyViews{from.as<float>(), run.output("output").tensor("views").as<float>(), static_cast<int>(row)},
           static_cast<int>(row), static_cast<int>(from.extent('n')), 1);
  }

 private:
  std::vector<double> cycle_starts(const PayloadRef& input, std::span<const View> views) const {
    if (params.source == PhaseSource::period) {
      if (!(params.period_s > 0.0))
        throw Failure(ErrorCode::invalid_argument, "source is period and period_s = 0",
                      "set period_s to the length of one cycle, or source to signal");
      if (std::all_of(views.begin(), views.end(), [&](const View& v) { return v.time_s == views.front().time_s; }))
        throw Failure(ErrorCode::bad_data,
                      "all " + std::to_string(views.size()) + " views have the time " + text_of(views.front().time_s) +
                          " s, and source is period",
                      "set time_s of every View in acquisition.views (a table of gantry angles has a column time_s)");
      return {params.start_s, params.start_s + params.period_s};
    }
    const bool from_file = params.source == PhaseSource::file;
    const std::vector<double> read = from_file ? read_signal() : std::vector<double>();
    const std::span<const double> signal = from_file ? std::span<const double>(read) : input.numbers("motion.signal");
    const std::string what = from_file ? "'" + params.signal_file + "'" : "motion.signal";
    if (signal.empty() && !from_file)
      throw Failure(ErrorCode::bad_data, "source is signal, and the projections have no attribute motion.signal",
                    "set it (one number a view), or set source to period and period_s to the length of one cycle");
    if (signal.size() != views.size())
      throw Failure(
          ErrorCode::bad_data,
          what + " has " + std::to_string(signal.size()) + " numbers for " + std::to_string(views.size()) + " views",
          "give one number for each view");
    for (std::size_t n = 0; n < signal.size(); ++n)
      if (!std::isfinite(signal[n]))
        throw Failure(ErrorCode::bad_data, what + " is not a number at view " + std::to_string(n),
                      "give the signal's value at each view, or set source to period");
    for (std::size_t n = 1; n < views.size(); ++n)
      if (views[n].time_s < views[n - 1].time_s)
        throw Failure(ErrorCode::bad_data, "view " + std::to_string(n) + " was taken before the view in front of it",
                      "give the views in the order of their time stamps");
    std::vector<double> starts = exhalation_times(signal, views);
    if (starts.size() < 2)
      throw Failure(ErrorCode::bad_data, what + " holds no full cycle",
                    "record at least two exhalations, or set source to period and period_s to the length of one cycle");
    return starts;
  }

  std::vector<double> read_signal() const {
    if (params.signal_file.empty())
      throw Failure(ErrorCode::invalid_argument, "source is file and signal_file is empty",
                    "name the file that amsterdam_shroud wrote, or another with one number a view");
    std::ifstream file(params.signal_file);
    if (!file)
      throw Failure(ErrorCode::bad_data, "signal_file '" + params.signal_file + "' cannot be read",
                    "check the path; relative ones start at the working folder");
    std::vector<double> signal;
    std::string line;
    for (std::size_t n = 1; std::getline(file, line); ++n)
      for (const double v : numbers_of(line, {&params.signal_file, n})) signal.push_back(v);
    return signal;
  }
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(phase_sort, PhaseSortOperator)
