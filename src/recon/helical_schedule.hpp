#pragma once
// The directions and half turns of a helix that a volume is made from, whole or in slabs, and which of its views are
// held while passes of a few directions go through them.
#include <cstdint>
#include <span>
#include <vector>

#include "recon/helical.hpp"
#include "recon/helical_orbit.hpp"

namespace isocenter::detail {

/// Where slices lie, and how far along z from a ray's central source a voxel may meet it.
struct HelicalSlices {
  double first_mm = 0, step_mm = 0;
  std::int64_t count = 0;
  double reach_mm = 0;
  double z_mm(std::int64_t z) const { return first_mm + static_cast<double>(z) * step_mm; }
};

class HelicalSchedule {
 public:
  HelicalSchedule() = default;
  HelicalSchedule(const Helix& helix, const HelicalSlices& slices);

  int directions() const { return directions_; }  ///< of a half turn
  const HelicalSlices& slices() const { return slices_; }
  double half_turn_mm() const;  ///< the source's way along z in one, signed
  /// directions × half_turns() entries, of all slices.
  const std::vector<HelicalHalfTurn>& table() const { return table_; }
  /// cos θ and sin θ of each direction in even half turns of the table, then those in odd ones.
  const std::vector<float>& sides() const { return sides_; }

  /// Shares the half turns out to slabs of `height` slices from each of `first` on: as many for each.
  void share_out(std::span<const std::int64_t> first, std::int64_t height);
  int of_slab() const { return of_slab_; }                       ///< half turns of a slab
  int first_of(std::size_t slab) const { return first_[slab]; }  ///< of the table's half turns

  /// Sizes `views` for passes of so many directions, a ring of views for each half turn of a slab; `shift` is the
  /// farthest that a ray's view lies from the central one's.
  void size_rings(int directions_per_pass, double shift, HelicalViews* views) const;

  const HelicalHalfTurn& half_turn(int direction, int k) const {
    return table_[static_cast<std::size_t>(direction) * static_cast<std::size_t>(half_turns_) +
                  static_cast<std::size_t>(k)];
  }
  /// Of the tables as they lie in the memory of the device that runs: `count` half turns from `first` on, of the
  /// directions from `direction` on.
  HelicalTurns turns(const HelicalHalfTurn* table, int direction, int first, int count) const {
    return {table + static_cast<std::int64_t>(direction) * half_turns_ + first, count, half_turns_};
  }
  const float* sides(const float* sides, int direction, int first) const {
    return sides + 2 * (first % 2 * directions_ + direction);
  }

 private:
  struct Range {
    int first, behind;
  };
  /// Half turns of the scan that slices meet.
  Range met_by(std::int64_t first_slice, std::int64_t height) const;

  Helix helix_;
  HelicalSlices slices_;
  int directions_ = 0, half_turns_ = 0, scan_half_turn_ = 0, of_slab_ = 0;
  std::vector<HelicalHalfTurn> table_;
  std::vector<float> sides_;
  std::vector<int> first_;
};

}  // namespace isocenter::detail
