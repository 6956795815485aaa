#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <isocenter/recon/helical_reconstruction.hpp>
#include <numbers>
#include <numeric>
#include <optional>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "recon/bad_reading.hpp"
#include "recon/helical.hpp"
#include "recon/helical_orbit.hpp"
#include "recon/helical_schedule.hpp"
#include "recon/helical_simd.hpp"
#include "recon/memory_need.hpp"
#include "recon/ramp_filter.hpp"
#include "recon/ramp_stage.hpp"
#include "recon/reading_check.hpp"
#include "recon/reconstruction_grid.hpp"
#include "recon/slab_cut.hpp"

namespace isocenter::detail {

namespace {

constexpr double pi = std::numbers::pi;
/// Parallel views that are filtered and back-projected together: of all half turns of a few directions.
constexpr int views_per_pass = 64;

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
    schedule_ = HelicalSchedule(helix_, slices());
    const double t_step = choose_columns();
    const double scale =
        params.unit == AttenuationUnit::hu ? 1000.0 / water_attenuation(params.mu_water_per_mm, input) : 1.0;
    RampStage::Shape shape{.columns = helix_.columns, .rows = helix_.rows};
    shape.length = ramp_filter_length(helix_.columns);
    const std::vector<double> response = ramp_response(shape.length, helix_.columns, t_step,
                                                       static_cast<RampWindow>(params.window), params.cutoff, scale);
    choose_pieces(plan, shape, response, fft);

    PayloadRef output = plan.output("output");
    output.set_tensor("voxels", tensor(DType::float32, "zyx", {cut_.height, grid_.ny, grid_.nx}));
    if (cut_.is_cut()) set_slabs(output, cut_.slabs);
    output.set_geometry(grid_.geometry);
    output.set_text("unit", params.unit == AttenuationUnit::hu ? "HU" : "1/mm");
    plan.scratch(scratch_bytes());
    upload(plan);
    if (cut_.count() > 1) plan.spread(cut_.count());
    describe_geometry(t_step);
    state_facts(plan);
  }

  void run(const RunContext& run) override {
    const PayloadRef input = run.input("input");
    require_planned_views(input, planned_views_);
    const Launcher launcher = launcher_of(run);
    const auto* projections = input.tensor("views").as<const float>();
    const std::size_t slab = cut_.is_cut() ? static_cast<std::size_t>(run.part()) : 0;
    if (cut_.is_cut()) run.output("output").set_geometry(slab_geometry(grid_.geometry, cut_.slabs.first[slab]));
    auto* volume = run.output("output").tensor("voxels").as<float>();
    char* const scratch = run.scratch<char>();
    auto* parallel = reinterpret_cast<float*>(scratch);
    char* const stack = scratch + parallel_bytes_;
    char* const work = stack + stage_->stack_bytes();
    HelicalViews views = views_;
    auto* const rings = reinterpret_cast<float*>(work + work_bytes_);
    views.readings = on_host_ ? rings : projections;
    if (note_ != nullptr) clear_note(run, note_);
    if (on_host_) stage(run, projections, slab, 0, rings);
    for (int first = 0; first < schedule_.directions(); first += directions_per_pass_) {
      run.check_cancelled();
      run.progress(static_cast<double>(first) / schedule_.directions());
      const int behind = std::min(first + directions_per_pass_, schedule_.directions());
      const HelicalTurns turns = schedule_.turns(half_turn_table_, first, slab);
      const int rays = (behind - first) * turns.count;
      if (on_host_) {
        run.follow(ISOCENTER_STREAM_MAIN);
        run.follow(ISOCENTER_STREAM_BESIDE);  // the pass before is done with the views that leave the rings
        if (behind < schedule_.directions()) stage(run, projections, slab, behind, rings);
      }
      launch(launcher,
             HelicalRebin{views, turns, column_table_, parallel, helix_.rows, helix_.columns, helix_.columns,
                          static_cast<float>(helix_.centre_row)},
             helix_.columns, helix_.rows, rays);
      const FdkRows rows{parallel, order_table_,  weight_table_, helix_.columns, helix_.rows, helix_.columns,
                         0,        helix_.columns};
      if (stage_->run(launcher, rows, rays, stack, work) >= 0) refuse_reading_of(run, projections);
      if (note_ != nullptr) launch(launcher, FilteredCheck::of(stage_->stack(stack), note_, 0), helix_.rows, 1, rays);
      const HelicalBackProject job{stage_->stack(stack),
                                   turns,
                                   schedule_.sides(side_table_, first, slab),
                                   behind - first,
                                   helix_.views,
                                   volume,
                                   static_cast<int>(grid_.nx),
                                   static_cast<int>(grid_.ny),
                                   static_cast<int>(cut_.height),
                                   static_cast<int>(cut_.slabs.first[slab]),
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
    corner_mm_ = std::hypot(corner[0], corner[1]);
    radius_mm_ = std::min(corner_mm_, helix_.field_of_view_mm());
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

  /// No voxel of the grid, whether the detector sees it in all views or not, is farther from a ray's central source.
  HelicalSlices slices() {
    const double fan = std::asin(helix_.field_of_view_mm() / helix_.radius_mm);
    const double slope = std::max(std::fabs(helix_.centre_row), std::fabs(helix_.rows - 1 - helix_.centre_row)) *
                         std::fabs(helix_.row_step_mm) / helix_.detector_mm;
    reach_mm_ =
        slope * (helix_.radius_mm + std::max(helix_.field_of_view_mm(), corner_mm_)) + std::fabs(helix_.feed_mm) * fan;
    return {grid_.geometry.origin_mm[2], grid_.geometry.spacing_mm[2], grid_.nz, reach_mm_};
  }

  /// Where the parallel views' columns lie; returns their distance.
  double choose_columns() {
    const double a = helix_.radius_mm * std::sin(helix_.fan_of_column(0));
    const double b = helix_.radius_mm * std::sin(helix_.fan_of_column(helix_.columns - 1));
    first_t_mm_ = std::min(a, b);
    const double t_step = std::fabs(b - a) / (helix_.columns - 1);
    columns_.clear();
    largest_shift_ = 0;
    for (int i = 0; i < helix_.columns; ++i) {
      const double fan = std::asin((first_t_mm_ + i * t_step) / helix_.radius_mm);
      const double slope = helix_.row_step_mm / helix_.detector_mm * (helix_.flat ? std::cos(fan) : 1.0);
      columns_.push_back({static_cast<float>(helix_.column_of_fan(fan)), static_cast<float>(fan / helix_.step_rad),
                          static_cast<float>(slope)});
      largest_shift_ = std::max(largest_shift_, std::fabs(fan / helix_.step_rad));
    }
    return t_step;
  }

  /// Whole where that fits, and where it does not or `slabs` says so in slabs along z, each from the half turns near
  /// it: on the CPU where what is behind takes slabs, because the whole would be put together in the same memory
  /// otherwise; on a device with the projections in host memory, where they come from there. More processes have a slab
  /// each.
  void choose_pieces(PlanContext& plan, const RampStage::Shape& shape, const std::vector<double>& response,
                     const FftService* fft) {
    on_host_ = false;
    const bool frees = !plan.on_cpu() && std::strcmp(plan.input("input").device(), plan.device().name) != 0;
    const bool may_cut = params.slabs == 0 && (!plan.on_cpu() || plan.takes_slabs("output"));
    const auto fits = [&](const SlabCut& cut, std::int64_t parts, bool is_last) {
      cut_ = cut;
      schedule_.share_out(cut.slabs.first, cut.height);
      const bool takes_all = is_last || parts == 1;
      if (choose_pass(plan, shape, response, fft, takes_all)) return true;
      if (frees && !on_host_) {
        on_host_ = true;
        plan.keep_on_host("input");
        if (choose_pass(plan, shape, response, fft, takes_all)) return true;
      }
      if (is_last) refuse_budget(plan);
      return false;
    };
    cut_ = find_slab_cut(grid_.nz, plan.communicator(), params.slabs, may_cut, fits);
    order_.resize(static_cast<std::size_t>(directions_per_pass_ * schedule_.of_slab()));
    std::iota(order_.begin(), order_.end(), 0);
    weights_.assign(order_.size(), FdkViewWeight{0, 0, 0, 0, static_cast<float>(pi / schedule_.directions())});
  }

  /// As many directions at once as half of what the budget leaves allows, or as half of that where it does not take all
  /// but leaves the rest to the nodes behind. False when there is not even enough for one direction.
  bool choose_pass(const PlanContext& plan, RampStage::Shape shape, const std::vector<double>& response,
                   const FftService* fft, bool takes_all) {
    const std::uint64_t left = plan.memory_left(), allowed = takes_all ? left : left / 2;
    directions_per_pass_ = std::clamp(views_per_pass / schedule_.of_slab(), 1, schedule_.directions());
    for (;; directions_per_pass_ = (directions_per_pass_ + 1) / 2) {
      shape.views = directions_per_pass_ * schedule_.of_slab();
      parallel_bytes_ = aligned(static_cast<std::uint64_t>(shape.views) * view_bytes());
      stage_.emplace(shape, response, fft, plan.device().index, launcher_of(plan).concurrency);
      const std::uint64_t tuned = tuned_ == nullptr ? 0 : tuned_->tile.scratch_of(launcher_of(plan).concurrency);
      work_bytes_ = aligned(std::max(stage_->work_bytes(), tuned));  // one after the other
      views_ = HelicalViews::all(nullptr, helix_.views);
      const bool counted = !on_host_ || size_rings();
      const std::uint64_t other = volume_bytes() + table_bytes(shape);
      needed_ = other + scratch_bytes();
      const std::uint64_t most = allowed > other ? (allowed - other) / 2 : 0;
      if (counted && (left == UINT64_MAX || scratch_bytes() <= most)) return true;
      if (directions_per_pass_ == 1) return needed_ <= allowed;
    }
  }

  /// HelicalRebin counts a ring's readings in 32 bits. False when passes of fewer directions may do.
  bool size_rings() {
    schedule_.size_rings(directions_per_pass_, largest_shift_, &views_);
    const std::int64_t readings = static_cast<std::int64_t>(views_.held) * helix_.rows * helix_.columns;
    if (directions_per_pass_ > 1 || readings <= INT32_MAX) return readings <= INT32_MAX;
    throw Failure(ErrorCode::unsupported,
                  "projections that the device does not hold are brought to it by " + std::to_string(views_.held) +
                      " views of " + std::to_string(helix_.rows) + " x " + std::to_string(helix_.columns) +
                      " readings for each half turn, and " + std::to_string(INT32_MAX) + " readings are the most",
                  "bin the detector's elements, or run this node on \"cpu\"");
  }

  [[noreturn]] void refuse_budget(const PlanContext& plan) const {
    const std::uint64_t left = plan.memory_left();
    throw Failure(
        ErrorCode::out_of_memory,
        (cut_.is_cut() ? "even a slab of " : "a volume of ") + std::to_string(grid_.nx) + " x " +
            std::to_string(grid_.ny) + " x " + std::to_string(cut_.height) + " voxels needs " +
            megabytes(volume_bytes()) + " and " + megabytes(needed_ - volume_bytes()) + " to work in, and " +
            left_text(plan, left, plan.device().name),
        more_memory(plan, needed_ - left) + (cut_.is_cut() ? "" : ", or give fewer slices at a time (nz, offset_mm)"));
  }

  static std::uint64_t aligned(std::uint64_t bytes) { return (bytes + 255) / 256 * 256; }
  std::uint64_t view_bytes() const {
    return static_cast<std::uint64_t>(helix_.rows) * static_cast<std::uint64_t>(helix_.columns) * sizeof(float);
  }
  std::uint64_t volume_bytes() const {  // of a slab
    return 4 * static_cast<std::uint64_t>(grid_.nx * grid_.ny * cut_.height);
  }
  std::uint64_t ring_bytes() const {
    return on_host_ ? static_cast<std::uint64_t>(schedule_.of_slab()) * static_cast<std::uint64_t>(views_.held) *
                          view_bytes()
                    : 0;
  }
  std::uint64_t scratch_bytes() const { return parallel_bytes_ + stage_->stack_bytes() + work_bytes_ + ring_bytes(); }
  std::uint64_t table_bytes(const RampStage::Shape& shape) const {
    return schedule_.table().size() * sizeof(HelicalHalfTurn) + schedule_.sides().size() * sizeof(float) +
           columns_.size() * sizeof(HelicalColumn) +
           static_cast<std::uint64_t>(shape.views) * (sizeof(std::int64_t) + sizeof(FdkViewWeight)) +
           stage_->table_bytes() + sizeof(std::int64_t);
  }

  /// Brings the views to the rings that the pass from direction `first` on needs, beside the ones that the pass before
  /// has brought.
  void stage(const RunContext& run, const float* projections, std::size_t slab, int first, float* rings) const {
    const std::int64_t view = static_cast<std::int64_t>(helix_.rows) * helix_.columns;
    for (int k = 0; k < schedule_.of_slab(); ++k) {
      const auto first_in = [&](int direction) {
        return views_.first_in(schedule_.half_turn(direction, schedule_.first_of(slab) + k));
      };
      const int behind = first_in(first) + views_.window;
      int next = first == 0 ? first_in(0) : first_in(first - directions_per_pass_) + views_.window;
      while (next < behind) {
        const int place = next % views_.held, count = std::min(behind - next, views_.held - place);
        run.copy(rings + (static_cast<std::int64_t>(k) * views_.held + place) * view, projections + next * view,
                 static_cast<std::uint64_t>(count) * view_bytes(), ISOCENTER_STREAM_BESIDE);
        next += count;
      }
    }
  }

  void upload(PlanContext& plan) {
    half_turn_table_ = plan.upload(std::span<const HelicalHalfTurn>(schedule_.table()), "half turns");
    side_table_ = plan.upload(std::span<const float>(schedule_.sides()), "directions");
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
    if (on_host_) plan.fact("helical.projections", "in host memory, brought to the device pass by pass");
    if (cut_.is_cut())
      plan.fact("helical.slabs", cut_.text() + ", each from " + std::to_string(schedule_.of_slab()) + " half turns");
    plan.fact("helical.back_projection", tuned_ == nullptr ? "reference" : tuned_->name);
  }

  Helix helix_;
  VolumeGrid grid_;
  HelicalRange range_;
  HelicalSchedule schedule_;
  SlabCut cut_;
  HelicalViews views_{};
  bool on_host_ = false;  ///< the projections, of a reconstruction on a device
  double radius_mm_ = 0, corner_mm_ = 0, reach_mm_ = 0, first_t_mm_ = 0, largest_shift_ = 0;
  std::int64_t fitting_slices_ = 0;
  int directions_per_pass_ = 1;
  std::vector<HelicalColumn> columns_;
  std::vector<std::int64_t> order_;
  std::vector<FdkViewWeight> weights_;
  std::vector<double> planned_views_;
  std::optional<RampStage> stage_;
  const HelicalVariant* tuned_ = nullptr;
  std::uint64_t parallel_bytes_ = 0, work_bytes_ = 0, needed_ = 0;
  HelicalGeometry geometry_{};
  const HelicalHalfTurn* half_turn_table_ = nullptr;
  const float* side_table_ = nullptr;
  const HelicalColumn* column_table_ = nullptr;
  const std::int64_t* order_table_ = nullptr;
  std::int64_t* note_ = nullptr;  ///< on a device (bad_reading.hpp)
  const FdkViewWeight* weight_table_ = nullptr;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(helical_reconstruction, HelicalReconstructionOperator)
