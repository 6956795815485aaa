#include <algorithm>
#include <cmath>
#include <cstdio>
#include <isocenter/recon/helical_reconstruction.hpp>
#include <numbers>
#include <numeric>
#include <optional>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "recon/bad_reading.hpp"
#include "recon/helical.hpp"
#include "recon/helical_orbit.hpp"
#include "recon/helical_simd.hpp"
#include "recon/memory_need.hpp"
#include "recon/ramp_filter.hpp"
#include "recon/ramp_stage.hpp"
#include "recon/reading_check.hpp"
#include "recon/reconstruction_grid.hpp"

namespace isocenter::detail {

namespace {

constexpr double pi = std::numbers::pi;
/// Parallel views that are filtered and back-projected together: of all half turns of a few directions.
constexpr int views_per_pass_cpu = 64, views_per_pass_device = 64;

std::string text_of(double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%.5g", v);
  return text;
}

}  // namespace

class HelicalReconstructionOperator : public OperatorBase<HelicalReconstruction> {
 public:
  void plan(PlanContext& plan) override {
    const PayloadRef input = plan.input("input");
    const Acquisition scan =
        check_acquisition(plan, "input", {.least_views = 3, .method = "helical_reconstruction", .cone_beam = true});
    helix_ = find_helix(scan);
    place_grid();
    check_pitch_and_range();
    for (const AcquisitionWarning& w : check_volume(scan, grid_)) plan.warn(w.what, w.fix);
    const std::span<const double> numbers = input.numbers("acquisition.views");
    planned_views_.assign(numbers.begin(), numbers.end());

    const FftService* fft = ramp_transform_of(plan);
    if (!plan.on_cpu()) {
      plan.require_kernel<HelicalRebin>();
      plan.require_kernel<HelicalBackProject>();
      plan.require_kernel<FilteredCheck>();
    }
    tuned_ = plan.on_cpu() && !launcher_of(plan).reference_only ? helical_variant_of_this_processor() : nullptr;
    choose_half_turns();
    const double t_step = choose_columns();
    const double scale =
        params.unit == AttenuationUnit::hu ? 1000.0 / water_attenuation(params.mu_water_per_mm, input) : 1.0;
    RampStage::Shape shape{.columns = helix_.columns, .rows = helix_.rows};
    shape.length = ramp_filter_length(helix_.columns);
    const std::vector<double> response = ramp_response(shape.length, helix_.columns, t_step,
                                                       static_cast<RampWindow>(params.window), params.cutoff, scale);
    choose_pass(plan, shape, response, fft);

    PayloadRef output = plan.output("output");
    output.set_tensor("voxels", tensor(DType::float32, "zyx", {grid_.nz, grid_.ny, grid_.nx}));
    output.set_geometry(grid_.geometry);
    output.set_text("unit", params.unit == AttenuationUnit::hu ? "HU" : "1/mm");
    plan.scratch(parallel_bytes_ + stage_->stack_bytes() + work_bytes(plan));
    upload(plan);
    describe_geometry(t_step);
    state_facts(plan);
  }

  void run(const RunContext& run) override {
    const PayloadRef input = run.input("input");
    require_planned_views(input, planned_views_);
    const Launcher launcher = launcher_of(run);
    const auto* projections = input.tensor("views").as<const float>();
    auto* volume = run.output("output").tensor("voxels").as<float>();
    char* const scratch = run.scratch<char>();
    auto* parallel = reinterpret_cast<float*>(scratch);
    char* const stack = scratch + parallel_bytes_;
    char* const work = stack + stage_->stack_bytes();
    if (note_ != nullptr) clear_note(run, note_);
    for (int first = 0; first < directions_; first += directions_per_pass_) {
      run.check_cancelled();
      run.progress(static_cast<double>(first) / directions_);
      const int directions = std::min(directions_per_pass_, directions_ - first), views = directions * half_turns_;
      const HelicalHalfTurn* turns = half_turn_table_ + static_cast<std::int64_t>(first) * half_turns_;
      launch(launcher,
             HelicalRebin{projections, turns, column_table_, parallel, helix_.views, helix_.rows, helix_.columns,
                          helix_.columns, static_cast<float>(helix_.centre_row)},
             helix_.columns, helix_.rows, views);
      const FdkRows rows{parallel, order_table_,  weight_table_, helix_.columns, helix_.rows, helix_.columns,
                         0,        helix_.columns};
      if (stage_->run(launcher, rows, views, stack, work) >= 0) refuse_reading_of(run, projections);
      if (note_ != nullptr) launch(launcher, FilteredCheck::of(stage_->stack(stack), note_, 0), helix_.rows, 1, views);
      const HelicalBackProject job{stage_->stack(stack),
                                   turns,
                                   direction_table_ + 2 * first,
                                   directions,
                                   half_turns_,
                                   helix_.views,
                                   volume,
                                   static_cast<int>(grid_.nx),
                                   static_cast<int>(grid_.ny),
                                   static_cast<int>(grid_.nz),
                                   geometry_,
                                   params.unit == AttenuationUnit::hu ? -1000.0F : 0.0F,
                                   first > 0};
      const FdkStop stop{[](void* user) { return static_cast<const RunContext*>(user)->cancelled(); },
                         const_cast<void*>(static_cast<const void*>(&run))};
      if (tuned_ == nullptr || !helical_back_project_by(launcher, *tuned_, job, work, stop))
        launch(launcher, job, job.nx, job.ny, job.nz);
    }
    run.check_cancelled();
    if (note_ != nullptr && read_note(run, note_) != no_reading) refuse_reading_of(run, projections);
  }

 private:
  static std::vector<double> three(const std::vector<double>& v, const char* name) {
    if (v.size() == 1) return {v[0], v[0], v[0]};
    if (v.size() != 3)
      throw Failure(ErrorCode::invalid_argument,
                    std::string(name) + " has " + std::to_string(v.size()) + " numbers, and one or three are needed",
                    "give one number, or x, y, z");
    return v;
  }

  /// The grid in x and y, and from there the radius that it needs; then the slices.
  void place_grid() {
    const std::vector<double> spacing = three(params.spacing_mm, "spacing_mm");
    const std::vector<double> offset = three(params.offset_mm, "offset_mm");
    const double at_axis =
        std::fabs(helix_.column_step) * (helix_.flat ? helix_.radius_mm / helix_.detector_mm : helix_.radius_mm);
    const double centre[3] = {helix_.centre_x_mm, helix_.centre_y_mm, 0.5 * (helix_.first_z_mm + helix_.last_z_mm())};
    grid_.nx = params.nx > 0 ? params.nx : helix_.columns;
    grid_.ny = params.ny > 0 ? params.ny : helix_.columns;
    double corner[2] = {};
    for (std::size_t k = 0; k < 3; ++k) {
      const double size = spacing[k] > 0.0 ? spacing[k] : at_axis;
      grid_.geometry.spacing_mm[k] = size;
      if (k == 2) continue;
      const double half = 0.5 * static_cast<double>((k == 0 ? grid_.nx : grid_.ny) - 1) * size;
      grid_.geometry.origin_mm[k] = centre[k] + offset[k] - half;
      corner[k] = half + std::fabs(offset[k]);
    }
    radius_mm_ = std::min(std::hypot(corner[0], corner[1]), helix_.field_of_view_mm());
    range_ = covered_range(helix_, radius_mm_);
    const double middle = centre[2] + offset[2], dz = grid_.geometry.spacing_mm[2];
    const double half = std::min(middle - range_.low_mm, range_.high_mm - middle);
    fitting_slices_ = half >= 0.0 ? 1 + static_cast<std::int64_t>(std::floor(2.0 * half / dz + 1e-6)) : 0;
    grid_.nz = params.nz > 0 ? params.nz : std::clamp<std::int64_t>(fitting_slices_, 1, 8192);
    grid_.geometry.origin_mm[2] = middle - 0.5 * static_cast<double>(grid_.nz - 1) * dz;
  }

  double pitch_of(double feed_mm) const {
    return feed_mm / (helix_.rows * std::fabs(helix_.row_step_mm) * helix_.radius_mm / helix_.detector_mm);
  }

  void check_pitch_and_range() const {
    const double feed = helix_.feed_per_rotation_mm(), most = largest_feed_mm(helix_, radius_mm_);
    if (feed > most * (1.0 + 1e-6))
      throw Failure(ErrorCode::invalid_argument,
                    "the table moves by " + text_of(feed) + " mm in a rotation (pitch " + text_of(pitch_of(feed)) +
                        "), and " + std::to_string(helix_.rows) + " rows cover a radius of " + text_of(radius_mm_) +
                        " mm without gaps up to " + text_of(std::max(most, 0.0)) + " mm (pitch " +
                        text_of(pitch_of(std::max(most, 0.0))) + ")",
                    "scan at that pitch or below, or give fewer or smaller voxels along x and y");
    const double low = grid_.geometry.origin_mm[2];
    const double high = low + static_cast<double>(grid_.nz - 1) * grid_.geometry.spacing_mm[2];
    if (range_.low_mm > range_.high_mm)
      throw Failure(ErrorCode::bad_data,
                    "the helix of " + text_of(std::fabs(helix_.step_rad) * (helix_.views - 1) * 180.0 / pi) +
                        " deg sees no slice of radius " + text_of(radius_mm_) + " mm from half a turn: " +
                        text_of(range_.low_mm - range_.high_mm) + " mm of the way are missing",
                    "scan longer, at a smaller pitch, or give fewer or smaller voxels along x and y");
    const double slack = 1e-6 * grid_.geometry.spacing_mm[2];
    if (low < range_.low_mm - slack || high > range_.high_mm + slack)
      throw Failure(ErrorCode::invalid_argument,
                    "the slices lie from z = " + text_of(low) + " to " + text_of(high) +
                        " mm, and the helix covers z = " + text_of(range_.low_mm) + " to " + text_of(range_.high_mm) +
                        " mm at a radius of " + text_of(radius_mm_) + " mm",
                    fitting_slices_ > 0
                        ? "set nz to " + std::to_string(fitting_slices_) + " or less, or to 0 for all of them"
                        : "move the grid by offset_mm into that range");
  }

  /// Directions of a half turn, and which half turns the volume meets.
  void choose_half_turns() {
    const double step = std::fabs(helix_.step_rad), sense = helix_.step_rad > 0.0 ? 1.0 : -1.0;
    directions_ = static_cast<int>(std::max<long long>(1, std::llround(pi / step)));
    const double fan = std::asin(helix_.field_of_view_mm() / helix_.radius_mm);
    const double slope = std::max(std::fabs(helix_.centre_row), std::fabs(helix_.rows - 1 - helix_.centre_row)) *
                         std::fabs(helix_.row_step_mm) / helix_.detector_mm;
    reach_mm_ = slope * (helix_.radius_mm + helix_.field_of_view_mm()) + std::fabs(helix_.feed_mm) * fan;
    // Half turn k of direction 0 has its central source at first_z + k π |feed| (in the table's sense).
    const double way = pi * helix_.feed_mm * sense, low = grid_.geometry.origin_mm[2],
                 high = low + static_cast<double>(grid_.nz - 1) * grid_.geometry.spacing_mm[2];
    const double a = (low - reach_mm_ - helix_.first_z_mm) / way, b = (high + reach_mm_ - helix_.first_z_mm) / way,
                 c = (low + reach_mm_ - helix_.first_z_mm) / way, d = (high - reach_mm_ - helix_.first_z_mm) / way;
    const double last = step * (helix_.views - 1) / pi;
    const int first = static_cast<int>(std::floor(std::max(-1.0, std::min({a, b, c, d}) - 1.0)));
    const int behind = static_cast<int>(std::ceil(std::min(last + 1.0, std::max({a, b, c, d}) + 1.0))) + 1;
    half_turns_ = std::max(1, behind - first);
    for (int m = 0; m < directions_; ++m) {
      const double turned = pi * (m / static_cast<double>(directions_) + first);
      const double angle = helix_.first_angle_rad + sense * turned;
      direction_list_.push_back(static_cast<float>(std::cos(angle)));
      direction_list_.push_back(static_cast<float>(std::sin(angle)));
      for (int k = 0; k < half_turns_; ++k) {
        const double way_rad = turned + pi * k, view = way_rad / step, whole = std::floor(view);
        half_turn_list_.push_back({static_cast<int>(whole), static_cast<float>(view - whole),
                                   static_cast<float>(helix_.first_z_mm + helix_.feed_mm * sense * way_rad - low)});
      }
    }
  }

  /// Where the parallel views' columns lie; returns their distance.
  double choose_columns() {
    const double a = helix_.radius_mm * std::sin(helix_.fan_of_column(0));
    const double b = helix_.radius_mm * std::sin(helix_.fan_of_column(helix_.columns - 1));
    first_t_mm_ = std::min(a, b);
    const double t_step = std::fabs(b - a) / (helix_.columns - 1);
    for (int i = 0; i < helix_.columns; ++i) {
      const double fan = std::asin((first_t_mm_ + i * t_step) / helix_.radius_mm);
      const double slope = helix_.row_step_mm / helix_.detector_mm * (helix_.flat ? std::cos(fan) : 1.0);
      columns_.push_back({static_cast<float>(helix_.column_of_fan(fan)), static_cast<float>(fan / helix_.step_rad),
                          static_cast<float>(slope)});
    }
    return t_step;
  }

  /// Filtering and back projection follow each other and share it.
  std::uint64_t work_bytes(const PlanContext& plan) const {
    const std::uint64_t tuned = tuned_ == nullptr ? 0 : tuned_->tile.scratch_of(launcher_of(plan).concurrency);
    return std::max(stage_->work_bytes(), tuned);
  }

  /// As many directions at once as half of what the budget leaves allows.
  void choose_pass(const PlanContext& plan, RampStage::Shape shape, const std::vector<double>& response,
                   const FftService* fft) {
    const auto volume = 4 * static_cast<std::uint64_t>(grid_.nx * grid_.ny * grid_.nz);
    const std::uint64_t left = plan.memory_left(), most = left > volume ? (left - volume) / 2 : 0;
    const int views = plan.on_cpu() ? views_per_pass_cpu : views_per_pass_device;
    directions_per_pass_ = std::clamp(views / half_turns_, 1, directions_);
    for (;; directions_per_pass_ = (directions_per_pass_ + 1) / 2) {
      shape.views = directions_per_pass_ * half_turns_;
      parallel_bytes_ = (static_cast<std::uint64_t>(shape.views) * static_cast<std::uint64_t>(shape.rows) *
                             static_cast<std::uint64_t>(shape.columns) * sizeof(float) +
                         255) /
                        256 * 256;
      stage_.emplace(shape, response, fft, plan.device().index, launcher_of(plan).concurrency);
      const std::uint64_t work = parallel_bytes_ + stage_->stack_bytes() + work_bytes(plan);
      if (work <= most || left == UINT64_MAX) break;
      if (directions_per_pass_ > 1) continue;
      if (volume + work <= left) break;
      throw Failure(ErrorCode::out_of_memory,
                    "a volume of " + std::to_string(grid_.nx) + " x " + std::to_string(grid_.ny) + " x " +
                        std::to_string(grid_.nz) + " voxels needs " + megabytes(volume) + " and " + megabytes(work) +
                        " to work in, and " + left_text(plan, left, plan.device().name),
                    more_memory(plan, volume + work - left) + ", or give fewer slices at a time (nz, offset_mm)");
    }
    for (int n = 0; n < shape.views; ++n) order_.push_back(n);
    weights_.assign(order_.size(), FdkViewWeight{0, 0, 0, 0, static_cast<float>(pi / directions_)});
  }

  void upload(PlanContext& plan) {
    half_turn_table_ = plan.upload(std::span<const HelicalHalfTurn>(half_turn_list_), "half turns");
    direction_table_ = plan.upload(std::span<const float>(direction_list_), "directions");
    column_table_ = plan.upload(std::span<const HelicalColumn>(columns_), "columns of parallel views");
    order_table_ = plan.upload(std::span<const std::int64_t>(order_), "order of the views");
    weight_table_ = plan.upload(std::span<const FdkViewWeight>(weights_), "weights of the views");
    stage_->upload(plan);
    if (!plan.on_cpu()) note_ = plan.allocate<std::int64_t>(1, "the first view that cannot be filtered");
  }

  void describe_geometry(double t_step) {
    const Geometry& g = grid_.geometry;
    geometry_.x_mm = static_cast<float>(g.origin_mm[0] - helix_.centre_x_mm);
    geometry_.y_mm = static_cast<float>(g.origin_mm[1] - helix_.centre_y_mm);
    geometry_.dx_mm = static_cast<float>(g.spacing_mm[0]);
    geometry_.dy_mm = static_cast<float>(g.spacing_mm[1]);
    geometry_.dz_mm = static_cast<float>(g.spacing_mm[2]);
    geometry_.radius_mm = static_cast<float>(helix_.radius_mm);
    geometry_.first_t_mm = static_cast<float>(first_t_mm_);
    geometry_.columns_per_mm = static_cast<float>(1.0 / t_step);
    geometry_.rows_per_slope = static_cast<float>(helix_.detector_mm / helix_.row_step_mm);
    geometry_.centre_row = static_cast<float>(helix_.centre_row);
    geometry_.feed_mm = static_cast<float>(helix_.feed_mm);
    geometry_.views_per_rad = static_cast<float>(1.0 / helix_.step_rad);
    geometry_.reach_mm = static_cast<float>(reach_mm_);
    geometry_.flat = helix_.flat;
    geometry_.full_part = static_cast<float>(params.full_part);
  }

  /// Several views are in each parallel one.
  [[noreturn]] void refuse_reading_of(const RunContext& run, const float* projections) const {
    refuse_reading_among(run, projections, 0, helix_.views, helix_.rows, helix_.columns);
  }

  void state_facts(PlanContext& plan) const {
    plan.fact("helical.pitch", text_of(pitch_of(helix_.feed_per_rotation_mm())));
    plan.fact("helical.largest_pitch", text_of(pitch_of(largest_feed_mm(helix_, radius_mm_))));
    plan.fact("helical.covered_z_mm", text_of(range_.low_mm) + " to " + text_of(range_.high_mm));
    plan.fact("helical.field_of_view_mm", "radius " + text_of(helix_.field_of_view_mm()));
    plan.fact("helical.directions_per_pass", std::to_string(directions_per_pass_));
    plan.fact("helical.back_projection", tuned_ == nullptr ? "reference" : tuned_->name);
  }

  Helix helix_;
  VolumeGrid grid_;
  HelicalRange range_;
  double radius_mm_ = 0, reach_mm_ = 0, first_t_mm_ = 0;
  std::int64_t fitting_slices_ = 0;
  int directions_ = 0, half_turns_ = 0, directions_per_pass_ = 1;
  std::vector<HelicalHalfTurn> half_turn_list_;
  std::vector<float> direction_list_;
  std::vector<HelicalColumn> columns_;
  std::vector<std::int64_t> order_;
  std::vector<FdkViewWeight> weights_;
  std::vector<double> planned_views_;
  std::optional<RampStage> stage_;
  const HelicalVariant* tuned_ = nullptr;
  std::uint64_t parallel_bytes_ = 0;
  HelicalGeometry geometry_{};
  const HelicalHalfTurn* half_turn_table_ = nullptr;
  const float* direction_table_ = nullptr;
  const HelicalColumn* column_table_ = nullptr;
  const std::int64_t* order_table_ = nullptr;
  std::int64_t* note_ = nullptr;  ///< on a device (bad_reading.hpp)
  const FdkViewWeight* weight_table_ = nullptr;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(helical_reconstruction, HelicalReconstructionOperator)
