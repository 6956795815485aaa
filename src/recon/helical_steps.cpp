#include "recon/helical_steps.hpp"

#include <algorithm>
#include <cmath>

namespace isocenter::detail {

HelicalSteps::HelicalSteps(const HelicalSchedule& schedule, std::int64_t first_slice, std::int64_t height,
                           int directions, int slices, double shift, const HelicalViews& views) {
  const double slices_of_turn = std::fabs(schedule.half_turn_mm() / schedule.slices().step_mm);
  turns_per_go_ =
      std::clamp(static_cast<int>(std::ceil(slices / std::max(slices_of_turn, 1e-6))), 1, schedule.of_slab());
  const int first = schedule.first_of(0), behind = first + schedule.of_slab();
  for (int turn = first; turn < behind; ++turn)
    for (int m = 0; m < schedule.directions(); m += directions) {
      const HelicalHalfTurn& of_first = schedule.half_turn(m, turn);
      // Behind the scan's end no ray of these directions was measured, and no slice is to wait for them.
      if (static_cast<double>(of_first.view) + of_first.part - shift > views.count - 1 && !steps_.empty()) break;
      const HelicalStep step{m, std::min(directions, schedule.directions() - m), turn, views.first_in(of_first)};
      if (!steps_.empty()) advance_ = std::max(advance_, step.first_view - steps_.back().first_view);
      steps_.push_back(step);
    }
  add_slices(schedule, first_slice, height);
}

/// The slices in the order in which the source passes them: the last half turn of a step's directions that one of them
/// meets is the last whose source is not yet farther than they reach.
void HelicalSteps::add_slices(const HelicalSchedule& schedule, std::int64_t first_slice, std::int64_t height) {
  const double sense = schedule.half_turn_mm() < 0.0 ? -1.0 : 1.0, reach = schedule.slices().reach_mm;
  const auto source = [&](int direction, int turn) {
    return sense * static_cast<double>(schedule.half_turn(direction, turn).source_mm);
  };
  const auto at = [&](std::int64_t z) { return sense * static_cast<double>(z) * schedule.slices().step_mm; };
  std::vector<HelicalStep*> of_directions;  // with the same, one half turn after the other
  for (const HelicalStep& begin : steps_) {
    if (begin.turn != steps_.front().turn) break;
    of_directions.clear();
    for (HelicalStep& s : steps_)
      if (s.direction == begin.direction) of_directions.push_back(&s);
    const int last = static_cast<int>(of_directions.size()) - 1;
    for (std::int64_t n = 0; n < height; ++n) {
      const std::int64_t z = sense > 0.0 ? n : height - 1 - n;
      int k = 0;
      while (k < last && source(begin.direction, begin.turn + k + 1) <= at(first_slice + z) + reach) ++k;
      HelicalStep& step = *of_directions[static_cast<std::size_t>(last - (last - k) / turns_per_go_ * turns_per_go_)];
      if (step.slices == 0) {
        const int last_direction = step.direction + step.directions - 1;
        step.first_turn = begin.turn;
        while (step.first_turn < step.turn && source(last_direction, step.first_turn) < at(first_slice + z) - reach)
          ++step.first_turn;
        turns_held_ = std::max(turns_held_, step.turn - step.first_turn + 1);
      }
      step.first_slice = static_cast<int>(step.slices == 0 ? z : std::min<std::int64_t>(step.first_slice, z));
      ++step.slices;
    }
  }
}

}  // namespace isocenter::detail
