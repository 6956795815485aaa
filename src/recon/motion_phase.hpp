#pragma once
// The motion phase of each view, from a breathing signal or a known period.
#include <isocenter/recon/acquisition.hpp>
#include <span>
#include <vector>

namespace isocenter::detail {

/// The moments of exhalation: minima of the signal, each after a rise by 0.3 of the signal's range. Views in the order
/// of time. Empty when there are fewer than two.
std::vector<double> exhalation_times(std::span<const double> signal, std::span<const View> views);

/// (t - start of its cycle) / (length of its cycle), in [0, 1). `starts` are two or more ascending moments; outside
/// them the first or last cycle's length goes on.
double phase_in_cycles(double time_s, std::span<const double> starts);

}  // namespace isocenter::detail
