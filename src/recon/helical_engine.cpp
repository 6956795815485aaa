#include "recon/helical_engine.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "recon/ramp_filter.hpp"

namespace isocenter::detail {

namespace {
std::uint64_t aligned(std::uint64_t bytes) { return (bytes + 255) / 256 * 256; }
}  // namespace

HelicalEngine::HelicalEngine(const Helix& h, const HelicalGrid& placed, double full_part, float initial_value,
                             const HelicalVariant* variant)
    : helix(h), grid(placed.volume), schedule(h, placed.slices(h)), tuned(variant), initial(initial_value) {
  place_columns();
  const Geometry& g = grid.geometry;
  geometry_.x_mm = static_cast<float>(g.origin_mm[0] - helix.centre_x_mm);
  geometry_.y_mm = static_cast<float>(g.origin_mm[1] - helix.centre_y_mm);
  geometry_.dx_mm = static_cast<float>(g.spacing_mm[0]);
  geometry_.dy_mm = static_cast<float>(g.spacing_mm[1]);
  geometry_.dz_mm = static_cast<float>(g.spacing_mm[2]);
  geometry_.radius_mm = static_cast<float>(helix.radius_mm);
  geometry_.first_t_mm = static_cast<float>(first_t_mm_);
  geometry_.columns_per_mm = static_cast<float>(1.0 / column_step_mm_);
  geometry_.rows_per_slope = static_cast<float>(helix.detector_mm / helix.row_step_mm);
  geometry_.centre_row = static_cast<float>(helix.centre_row);
  geometry_.feed_mm = static_cast<float>(helix.feed_mm);
  geometry_.views_per_rad = static_cast<float>(1.0 / helix.step_rad);
  geometry_.reach_mm = static_cast<float>(schedule.slices().reach_mm);
  geometry_.flat = helix.flat;
  geometry_.full_part = static_cast<float>(full_part);
}

/// Where the parallel views' columns lie.
void HelicalEngine::place_columns() {
  const double a = helix.radius_mm * std::sin(helix.fan_of_column(0));
  const double b = helix.radius_mm * std::sin(helix.fan_of_column(helix.columns - 1));
  first_t_mm_ = std::min(a, b);
  column_step_mm_ = std::fabs(b - a) / (helix.columns - 1);
  for (int i = 0; i < helix.columns; ++i) {
    const double fan = std::asin((first_t_mm_ + i * column_step_mm_) / helix.radius_mm);
    const double slope = helix.row_step_mm / helix.detector_mm * (helix.flat ? std::cos(fan) : 1.0);
    columns_.push_back({static_cast<float>(helix.column_of_fan(fan)), static_cast<float>(fan / helix.step_rad),
                        static_cast<float>(slope)});
    largest_shift_ = std::max(largest_shift_, std::fabs(fan / helix.step_rad));
  }
}

double HelicalEngine::farthest_shift() const {
  const double last_t = first_t_mm_ + (helix.columns - 1) * column_step_mm_;
  const double edge = std::max(std::fabs(first_t_mm_), std::fabs(last_t)) + column_step_mm_;
  return std::asin(std::min(edge / helix.radius_mm, 1.0)) / std::fabs(helix.step_rad) + 1e-2;
}

void HelicalEngine::prepare(const PlanContext& plan, int rays, int stack_views, const std::vector<double>& response,
                            const FftService* fft) {
  RampStage::Shape shape{.columns = helix.columns, .rows = helix.rows, .views = rays, .stack_views = stack_views};
  shape.length = ramp_filter_length(helix.columns);
  const int concurrency = launcher_of(plan).concurrency;
  stage.emplace(shape, response, fft, plan.device().index, concurrency);
  parallel_bytes_ = aligned(static_cast<std::uint64_t>(rays) * view_bytes());
  const std::uint64_t of_tiles = tuned == nullptr ? 0 : tuned->tile.scratch_of(concurrency);
  work_bytes_ = aligned(std::max(stage->work_bytes(), of_tiles));  // one after the other
  order_.resize(static_cast<std::size_t>(rays));
  std::iota(order_.begin(), order_.end(), 0);
  weights_.assign(order_.size(),
                  FdkViewWeight{0, 0, 0, 0, static_cast<float>(std::numbers::pi / schedule.directions())});
}

std::uint64_t HelicalEngine::table_bytes() const {
  return schedule.table().size() * sizeof(HelicalHalfTurn) + schedule.sides().size() * sizeof(float) +
         columns_.size() * sizeof(HelicalColumn) + order_.size() * (sizeof(std::int64_t) + sizeof(FdkViewWeight)) +
         stage->table_bytes();
}

void HelicalEngine::upload(PlanContext& plan) {
  half_turn_table_ = plan.upload(std::span<const HelicalHalfTurn>(schedule.table()), "half turns");
  side_table_ = plan.upload(std::span<const float>(schedule.sides()), "directions");
  column_table_ = plan.upload(std::span<const HelicalColumn>(columns_), "columns of parallel views");
  order_table_ = plan.upload(std::span<const std::int64_t>(order_), "order of the views");
  weight_table_ = plan.upload(std::span<const FdkViewWeight>(weights_), "weights of the views");
  stage->upload(plan);
}

std::int64_t HelicalEngine::filter(const Launcher& launcher, const HelicalViews& views, const HelicalTurns& turns,
                                   int rays, float* parallel, void* stack, char* work) const {
  launch(launcher,
         HelicalRebin{views, turns, column_table_, parallel, helix.rows, helix.columns, helix.columns,
                      static_cast<float>(helix.centre_row)},
         helix.columns, helix.rows, rays);
  const FdkRows rows{parallel, order_table_, weight_table_, helix.columns, helix.rows, helix.columns, 0, helix.columns};
  return stage->run(launcher, rows, rays, stack, work);
}

void HelicalEngine::back_project(const RunContext& run, const Launcher& launcher, const Sum& sum, float* volume,
                                 char* work) const {
  const HelicalBackProject job{stage->stack(sum.stack),
                               turns(sum.direction, sum.first_turn, sum.turns),
                               sum.places,
                               schedule.sides(side_table_, sum.direction, sum.first_turn),
                               sum.directions,
                               helix.views,
                               volume,
                               static_cast<int>(grid.nx),
                               static_cast<int>(grid.ny),
                               static_cast<int>(sum.slices),
                               static_cast<int>(sum.first_slice),
                               geometry_,
                               initial,
                               sum.goes_on};
  const FdkStop stop{[](void* user) { return static_cast<const RunContext*>(user)->cancelled(); },
                     const_cast<void*>(static_cast<const void*>(&run))};
  if (tuned == nullptr || !helical_back_project_by(launcher, *tuned, job, work, stop))
    launch(launcher, job, job.nx, job.ny, job.nz);
}

}  // namespace isocenter::detail
