#pragma once
// A helix whose views come in blocks: in which order they are filtered and back-projected as they come.
//
// A step filters a few directions of one half turn, as soon as their views are there. A slice is summed over these
// directions once, after the last of their half turns that it meets; so the filtered views of the half turns between
// which slices lie are kept, and no others, however long the scan.
#include <vector>

#include "recon/helical_schedule.hpp"

namespace isocenter::detail {

struct HelicalStep {
  int direction = 0, directions = 0, turn = 0;  ///< that are filtered
  int first_view = 0;                           ///< from here on a window of views is needed
  int first_turn = 0;                           ///< from here to `turn` the slices meet them
  int first_slice = 0, slices = 0;              ///< of the slab; 0: none is ready
};

class HelicalSteps {
 public:
  HelicalSteps() = default;
  /// Slices first_slice to first_slice + height - 1, `directions` at once and, as far as the scan goes, `slices` or
  /// more. No ray lies farther than `shift` views from its direction's central one. The schedule is shared out to that
  /// slab; `views` has the window of so many directions (HelicalSchedule::size_rings).
  HelicalSteps(const HelicalSchedule& schedule, std::int64_t first_slice, std::int64_t height, int directions,
               int slices, double shift, const HelicalViews& views);

  const std::vector<HelicalStep>& list() const { return steps_; }
  int turns_held() const { return turns_held_; }    ///< half turns whose filtered views are kept
  int largest_advance() const { return advance_; }  ///< views from one step's first to the next one's

 private:
  void add_slices(const HelicalSchedule& schedule, std::int64_t first_slice, std::int64_t height);

  std::vector<HelicalStep> steps_;
  int turns_held_ = 1, advance_ = 0, turns_per_go_ = 1;
};

}  // namespace isocenter::detail
