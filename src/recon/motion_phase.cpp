#include "recon/motion_phase.hpp"

#include <algorithm>
#include <cmath>

namespace isocenter::detail {

std::vector<double> exhalation_times(std::span<const double> signal, std::span<const View> views) {
  const auto [low, high] = std::minmax_element(signal.begin(), signal.end());
  const double rise = 0.3 * (*high - *low);
  std::vector<double> times;
  if (!(rise > 0.0)) return times;
  // Walks the signal with hysteresis: a minimum is kept when the signal has fallen by `rise` before it (or it is the
  // first) and rises by as much after it. A flat bottom counts at its middle.
  bool falling = true;
  double lowest = signal[0], highest = signal[0], first_low = views[0].time_s, last_low = views[0].time_s;
  for (std::size_t n = 0; n < signal.size(); ++n) {
    const double s = signal[n], t = views[n].time_s;
    if (falling) {
      if (s < lowest) lowest = s, first_low = last_low = t;
      if (s == lowest) last_low = t;
      if (s > lowest + rise) {
        times.push_back(0.5 * (first_low + last_low));
        falling = false;
        highest = s;
      }
    } else {
      highest = std::max(highest, s);
      if (s < highest - rise) {
        falling = true;
        lowest = s;
        first_low = last_low = t;
      }
    }
  }
  if (times.size() < 2) times.clear();
  return times;
}

double phase_in_cycles(double time_s, std::span<const double> starts) {
  const auto after = std::upper_bound(starts.begin(), starts.end(), time_s);
  const auto k =
      std::clamp<std::ptrdiff_t>(after - starts.begin() - 1, 0, static_cast<std::ptrdiff_t>(starts.size()) - 2);
  const double begin = starts[static_cast<std::size_t>(k)], length = starts[static_cast<std::size_t>(k) + 1] - begin;
  const double phase = (time_s - begin) / length;
  const double wrapped = phase - std::floor(phase);
  return wrapped < 1.0 ? wrapped : 0.0;
}

}  // namespace isocenter::detail
