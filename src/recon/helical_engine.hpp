#pragma once
// A helix as it runs: its tables in the memory of the device that runs, and what is done with them, whole or in steps.
#include <isocenter/operator.hpp>
#include <optional>
#include <vector>

#include "core/launcher.hpp"
#include "recon/helical_grid.hpp"
#include "recon/helical_simd.hpp"
#include "recon/ramp_stage.hpp"

namespace isocenter::detail {

class HelicalEngine {
 public:
  /// `initial`: of a voxel that nothing has been added to. `tuned` may be null.
  HelicalEngine(const Helix& helix, const HelicalGrid& grid, double full_part, float initial,
                const HelicalVariant* tuned);

  Helix helix;
  VolumeGrid grid;
  HelicalSchedule schedule;
  const HelicalVariant* tuned;
  float initial;
  std::optional<RampStage> stage;  ///< filters parallel views

  double column_step_mm() const { return column_step_mm_; }  ///< of parallel views
  double largest_shift() const { return largest_shift_; }    ///< views from a ray's to its direction's central one
  double farthest_shift() const;                             ///< the same for voxels up to a column off the detector
  std::uint64_t view_bytes() const {
    return static_cast<std::uint64_t>(helix.rows) * static_cast<std::uint64_t>(helix.columns) * sizeof(float);
  }
  std::int64_t elements() const { return static_cast<std::int64_t>(helix.rows) * helix.columns; }

  /// For `rays` parallel views at once, in a stack of `stack_views` (0: as many). Throws as RampStage.
  void prepare(const PlanContext& plan, int rays, int stack_views, const std::vector<double>& response,
               const FftService* fft);
  std::uint64_t parallel_bytes() const { return parallel_bytes_; }  ///< parallel views before they are filtered
  std::uint64_t work_bytes() const { return work_bytes_; }          ///< of filter and back_project
  std::uint64_t table_bytes() const;
  void upload(PlanContext& plan);

  HelicalTurns turns(int direction, int first_turn, int count) const {
    return schedule.turns(half_turn_table_, direction, first_turn, count);
  }
  /// Fills the first `rays` views of `stack` with the filtered parallel views of `turns`. As RampStage::run.
  std::int64_t filter(const Launcher& launcher, const HelicalViews& views, const HelicalTurns& turns, int rays,
                      float* parallel, void* stack, char* work) const;

  /// Directions and half turns that are summed, where their filtered views lie, and which of the grid's slices.
  struct Sum {
    void* stack;
    HelicalPlaces places;
    int direction, directions, first_turn, turns;
    std::int64_t first_slice, slices;
    bool goes_on;
  };
  /// `volume`: of the first slice.
  void back_project(const RunContext& run, const Launcher& launcher, const Sum& sum, float* volume, char* work) const;

 private:
  void place_columns();

  HelicalGeometry geometry_{};
  double first_t_mm_ = 0, column_step_mm_ = 0, largest_shift_ = 0;
  std::vector<HelicalColumn> columns_;
  std::vector<std::int64_t> order_;
  std::vector<FdkViewWeight> weights_;
  std::uint64_t parallel_bytes_ = 0, work_bytes_ = 0;
  const HelicalHalfTurn* half_turn_table_ = nullptr;
  const float* side_table_ = nullptr;
  const HelicalColumn* column_table_ = nullptr;
  const std::int64_t* order_table_ = nullptr;
  const FdkViewWeight* weight_table_ = nullptr;
};

}  // namespace isocenter::detail
