#include "recon/helical_schedule.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace isocenter::detail {

namespace {
constexpr double pi = std::numbers::pi;
/// A cubic convolution between views reaches one view down and two up.
constexpr int views_below = 1, views_above = 2;
}  // namespace

HelicalSchedule::HelicalSchedule(const Helix& helix, const HelicalSlices& slices) : helix_(helix), slices_(slices) {
  const double step = std::fabs(helix.step_rad), sense = helix.step_rad > 0.0 ? 1.0 : -1.0;
  directions_ = static_cast<int>(std::max<long long>(1, std::llround(pi / step)));
  const Range all = met_by(0, slices.count);
  scan_half_turn_ = all.first;
  half_turns_ = all.behind - all.first;
  for (int m = 0; m < directions_; ++m)
    for (int k = 0; k < half_turns_; ++k) {
      const double way_rad = pi * (m / static_cast<double>(directions_) + all.first + k);
      const double view = way_rad / step, whole = std::floor(view);
      table_.push_back({static_cast<int>(whole), static_cast<float>(view - whole),
                        static_cast<float>(helix.first_z_mm + helix.feed_mm * sense * way_rad - slices.first_mm)});
    }
  for (int side = all.first; side < all.first + 2; ++side)
    for (int m = 0; m < directions_; ++m) {
      const double angle = helix.first_angle_rad + sense * pi * (m / static_cast<double>(directions_) + side);
      sides_.push_back(static_cast<float>(std::cos(angle)));
      sides_.push_back(static_cast<float>(std::sin(angle)));
    }
}

double HelicalSchedule::half_turn_mm() const { return pi * helix_.feed_mm * (helix_.step_rad > 0.0 ? 1.0 : -1.0); }

/// After h half turns of the gantry the central source is at first_z + h π |feed| (in the table's sense); direction m
/// is up to one half turn behind direction 0.
HelicalSchedule::Range HelicalSchedule::met_by(std::int64_t first_slice, std::int64_t height) const {
  const double way = half_turn_mm();
  const double a = (slices_.z_mm(first_slice) - slices_.reach_mm - helix_.first_z_mm) / way;
  const double b = (slices_.z_mm(first_slice + height - 1) + slices_.reach_mm - helix_.first_z_mm) / way;
  const double last = std::fabs(helix_.step_rad) * (helix_.views - 1) / pi;
  const int first = static_cast<int>(std::floor(std::max(-1.0, std::min(a, b))));
  const int behind = static_cast<int>(std::floor(std::min(last + 1.0, std::max(a, b)))) + 1;
  return {first, std::max(behind, first + 1)};
}

void HelicalSchedule::share_out(std::span<const std::int64_t> first, std::int64_t height) {
  first_.clear();
  of_slab_ = 1;
  for (const std::int64_t z : first) {
    const Range met = met_by(z, height);
    first_.push_back(met.first - scan_half_turn_);
    of_slab_ = std::max(of_slab_, std::min(met.behind - met.first, half_turns_));
  }
  for (int& k : first_) k = std::clamp(k, 0, half_turns_ - of_slab_);
}

void HelicalSchedule::size_rings(int directions_per_pass, double shift, HelicalViews* views) const {
  int pass = 0, advance = 0;
  for (int k = 0; k < half_turns_; ++k)
    for (int first = 0; first < directions_; first += directions_per_pass) {
      const int next = std::min(first + directions_per_pass, directions_);
      pass = std::max(pass, half_turn(next - 1, k).view - half_turn(first, k).view);
      if (next < directions_) advance = std::max(advance, half_turn(next, k).view - half_turn(first, k).view);
    }
  const double farthest = shift + 1e-3;  // float32 may round it up
  // The central ray lies up to one view behind the view that its half turn names.
  const int behind = static_cast<int>(std::floor(farthest)) + 1 + views_above;
  views->before = static_cast<int>(std::ceil(farthest)) + views_below;
  views->window = std::min(views->before + pass + behind + 1, views->count);
  views->held = std::min(views->window + advance, views->count);
  views->rings = true;
}

}  // namespace isocenter::detail
