#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <isocenter/recon/motion_compensated_reconstruction.hpp>
#include <numbers>
#include <numeric>
#include <optional>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "core/volume_input.hpp"
#include "recon/bad_reading.hpp"
#include "recon/fdk_plan.hpp"
#include "recon/memory_need.hpp"
#include "recon/motion_simd.hpp"
#include "recon/ramp_stage.hpp"
#include "recon/reading_check.hpp"
#include "recon/reconstruction_grid.hpp"

namespace isocenter::detail {

namespace {

constexpr const char* motion_ports[] = {"motion_x", "motion_y", "motion_z"};
/// A pass keeps a displacement field for each of its views.
constexpr int views_per_pass_at_most = 32;

std::string text_of(double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%.5g", v);
  return text;
}

Vector3 three(const std::vector<double>& v, const char* name) {
  if (v.size() == 1) return {v[0], v[0], v[0]};
  if (v.size() != 3)
    throw Failure(ErrorCode::invalid_argument,
                  std::string(name) + " has " + std::to_string(v.size()) + " numbers, and one or three are needed",
                  "give one number, or x, y, z");
  return {v[0], v[1], v[2]};
}

/// The three components' common grid; a node's number fits into 32 bits.
GridShape motion_shape(const PlanContext& plan) {
  GridShape shape;
  for (const char* port : motion_ports) {
    const PayloadRef field = plan.input(port);
    const GridShape s = grid_shape(field, port, "voxels", DType::float32);
    const std::string where = std::string("input '") + port + "'";
    if (!s.has_time)
      throw Failure(ErrorCode::bad_data, where + " has no time axis, and displacements of each phase are needed",
                    "give a volume of the axes tzyx whose frames are the phases of one cycle");
    if (field.text("unit") != "mm")
      throw Failure(ErrorCode::bad_data, where + " has the unit '" + field.text("unit") + "', and mm is needed",
                    "give displacements in mm (image_source: unit: mm)");
    const Geometry& g = s.geometry;
    for (int i = 0; i < 9; ++i)
      if (std::fabs(g.direction[i] - (i % 4 == 0 ? 1.0 : 0.0)) > 1e-4)
        throw Failure(ErrorCode::unsupported, where + " has axes that are not the patient's",
                      "resample the field onto a grid along the patient's axes");
    if (s.frame_voxels() > (std::int64_t{1} << 28))
      throw Failure(ErrorCode::unsupported,
                    where + " has " + std::to_string(s.frame_voxels()) + " nodes, and 268435456 are the most",
                    "give a coarser field");
    if (port == motion_ports[0]) {
      shape = s;
      continue;
    }
    const bool same = s.nx == shape.nx && s.ny == shape.ny && s.nz == shape.nz && s.nt == shape.nt &&
                      std::equal(g.origin_mm, g.origin_mm + 3, shape.geometry.origin_mm) &&
                      std::equal(g.spacing_mm, g.spacing_mm + 3, shape.geometry.spacing_mm);
    if (!same)
      throw Failure(ErrorCode::bad_data, where + " has another grid than input 'motion_x'",
                    "give the field's three components on one grid");
  }
  return shape;
}

}  // namespace

class MotionCompensatedReconstructionOperator : public OperatorBase<MotionCompensatedReconstruction> {
 public:
  void plan(PlanContext& plan) override {
    const PayloadRef input = plan.input("input");
    const Acquisition scan =
        check_acquisition(plan, "input", {.least_views = 3, .method = "FDK", .cone_beam = true, .flat_detector = true});
    fdk_ = plan_fdk(request_for(input, scan));
    const VoxelGrid& g = fdk_.grid;
    for (const AcquisitionWarning& w : check_volume(scan, {g.nx, g.ny, g.nz, Geometry(g.spacing_mm, g.origin_mm)}))
      plan.warn(w.what, w.fix);
    const std::span<const double> numbers = input.numbers("acquisition.views");
    planned_views_.assign(numbers.begin(), numbers.end());
    motion_ = motion_shape(plan);
    place_field();
    choose_moments(scan);
    most_mm_ = 0.5 * length(minus(scan.views[0].source_mm, isocentre_of(scan)));

    const FftService* fft = ramp_transform_of(plan);
    if (!plan.on_cpu()) {
      plan.require_kernel<MotionBlend>();
      plan.require_kernel<MotionBackProject>();
      plan.require_kernel<ReadingCheck>();
      plan.require_kernel<FilteredCheck>();
    }
    if (plan.on_cpu() && !launcher_of(plan).reference_only && motion_field_is_coarse(field_grid_, fdk_.column_axis))
      tuned_ = motion_variant_of_this_processor();
    choose_pass(plan, fft);
    plan.scratch(scratch_bytes());
    upload(plan);
    PayloadRef output = plan.output("output");
    output.set_tensor("voxels", tensor(DType::float32, "zyx", {g.nz, g.ny, g.nx}));
    output.set_geometry(Geometry(g.spacing_mm, g.origin_mm));
    output.set_text("unit", params.unit == AttenuationUnit::hu ? "HU" : "1/mm");
    plan.fact("fdk.field_of_view_mm", "radius " + text_of(fdk_.field_of_view_mm));
    plan.fact("fdk.views_per_pass", std::to_string(views_per_pass_));
    if (on_host_) plan.fact("motion.projections", "in host memory, brought to the device pass by pass");
    plan.fact("motion.frames", std::to_string(motion_.nt));
    plan.fact("motion.back_projection", tuned_ == nullptr ? "reference" : tuned_->name);
  }

  void run(const RunContext& run) override {
    const PayloadRef input = run.input("input");
    require_planned_views(input, planned_views_);
    const Launcher launcher = launcher_of(run);
    const float* field[3] = {};
    for (std::size_t k = 0; k < 3; ++k) field[k] = run.input(motion_ports[k]).tensor("voxels").as<const float>();
    check_field(run, launcher, field);
    const auto* projections = input.tensor("views").as<const float>();
    auto* volume = run.output("output").tensor("voxels").as<float>();
    char* const stack = run.scratch<char>();
    char* const work = stack + stage_->stack_bytes();
    const auto all = static_cast<std::int64_t>(fdk_.order.size());
    const int nx = static_cast<int>(fdk_.grid.nx), ny = static_cast<int>(fdk_.grid.ny),
              nz = static_cast<int>(fdk_.grid.nz);
    if (on_host_) stage_views(run, projections, 0, staged(work, 0));
    for (std::int64_t first = 0, turn = 0; first < all; first += views_per_pass_, ++turn) {
      run.check_cancelled();
      run.progress(static_cast<double>(first) / static_cast<double>(all));
      const int views = static_cast<int>(std::min<std::int64_t>(views_per_pass_, all - first));
      if (on_host_) {
        run.follow(ISOCENTER_STREAM_MAIN);
        run.follow(ISOCENTER_STREAM_BESIDE);  // the pass before the last is done with its place
        if (first + views < all) stage_views(run, projections, first + views, staged(work, turn + 1));
      }
      const FdkRows rows = on_host_ ? rows_of(staged(work, turn), places_table_, first)
                                    : rows_of(projections, order_table_ + first, first);
      const std::int64_t bad = stage_->run(launcher, rows, views, stack, work);
      if (bad >= 0) refuse_reading(bad, projections[bad], fdk_.raw_rows, fdk_.raw_columns);
      if (note_ != nullptr)
        launch(launcher, FilteredCheck::of(stage_->stack(stack), note_, first), fdk_.rows, 1, views);
      // The field takes the place of what the filter worked in.
      auto* blended = reinterpret_cast<float*>(work);
      MotionBlend blend{field[0], field[1], field[2], moment_table_ + first, blended, field_grid_.nodes(), {}};
      for (std::size_t k = 0; k < 3; ++k) blend.voxels_per_mm[k] = static_cast<float>(1.0 / fdk_.grid.spacing_mm[k]);
      const MotionBackProject job{stage_->stack(stack),
                                  matrix_table_ + first,
                                  views,
                                  blended,
                                  field_grid_,
                                  volume,
                                  nx,
                                  ny,
                                  nz,
                                  params.unit == AttenuationUnit::hu ? -1000.0F : 0.0F,
                                  first > 0,
                                  fdk_.column_axis};
      if (tuned_ == nullptr) {
        launch(launcher, blend, field_grid_.nodes(), views, 1);
        launch(launcher, job, nx, ny, nz);
        continue;
      }
      const FdkStop stop{[](void* user) { return static_cast<const RunContext*>(user)->cancelled(); },
                         const_cast<void*>(static_cast<const void*>(&run))};
      motion_back_project_by(launcher, *tuned_, job, motion_columns(launcher, blend, job, blended), work + field_bytes_,
                             stop);
    }
    run.check_cancelled();
    if (note_ != nullptr) check_readings(run, projections);
  }

 private:
  FdkRequest request_for(const PayloadRef& input, const Acquisition& scan) const {
    FdkRequest r;
    r.views = scan.views;
    r.beam = scan.beam;
    r.columns = scan.columns;
    r.rows = scan.rows;
    r.nx = params.nx;
    r.ny = params.ny;
    r.nz = params.nz;
    r.spacing_mm = three(params.spacing_mm, "spacing_mm");
    r.offset_mm = three(params.offset_mm, "offset_mm");
    r.window = static_cast<RampWindow>(params.window);
    r.cutoff = params.cutoff;
    r.scale = params.unit == AttenuationUnit::hu ? 1000.0 / water_attenuation(params.mu_water_per_mm, input) : 1.0;
    r.truncation = static_cast<RowTruncation>(params.truncation);
    r.extension_mm = params.extension_mm;
    if (r.truncation == RowTruncation::water_cylinder)
      r.mu_water_per_mm = water_attenuation(params.mu_water_per_mm, input);
    r.largest_gap_rad = params.largest_gap_deg * std::numbers::pi / 180.0;
    return r;
  }

  void place_field() {
    field_grid_ = {motion_.nx, motion_.ny, motion_.nz, {}, {}};
    for (std::size_t k = 0; k < 3; ++k) {
      const double voxel = fdk_.grid.spacing_mm[k], node = motion_.geometry.spacing_mm[k];
      if (!(node > 0.0) || !std::isfinite(node) || !std::isfinite(motion_.geometry.origin_mm[k]))
        throw Failure(ErrorCode::bad_data, "input 'motion_x' has a spacing of " + text_of(node) + " mm",
                      "give the field's grid a positive spacing");
      field_grid_.origin[k] = static_cast<float>((motion_.geometry.origin_mm[k] - fdk_.grid.origin_mm[k]) / voxel);
      field_grid_.per_voxel[k] = static_cast<float>(voxel / node);
    }
  }

  /// Frame j holds the displacements at phase j / frames.
  void choose_moments(const Acquisition& scan) {
    for (const std::int64_t n : fdk_.order) {
      const double phase = scan.views[static_cast<std::size_t>(n)].phase;
      if (!(phase >= 0.0 && phase < 1.0))
        throw Failure(ErrorCode::bad_data, "view " + std::to_string(n) + " has no motion phase in [0, 1)",
                      "put phase_sort before this node");
      const double at = phase * motion_.nt, whole = std::floor(at);
      const int first = static_cast<int>(whole) % motion_.nt;
      moments_.push_back({first, (first + 1) % motion_.nt, static_cast<float>(at - whole)});
    }
  }

  /// On a device that holds the projections only beside passes of a few views they stay on the host, unless a node
  /// before this one has left them there.
  void choose_pass(PlanContext& plan, const FftService* fft) {
    on_host_ = false;
    bool fits = try_passes(plan, fft);
    const bool is_wide = fits && views_per_pass_ >= std::min(8, static_cast<int>(fdk_.order.size()));
    if (!is_wide && !plan.on_cpu() && std::strcmp(plan.input("input").device(), plan.device().name) != 0) {
      on_host_ = true;
      plan.keep_on_host("input");
      fits = try_passes(plan, fft);
    }
    if (fits) return;
    const std::uint64_t work = scratch_bytes() + table_bytes(plan), needed = volume_bytes() + work,
                        left = plan.memory_left();
    throw Failure(ErrorCode::out_of_memory,
                  "a volume of " + std::to_string(fdk_.grid.nx) + " x " + std::to_string(fdk_.grid.ny) + " x " +
                      std::to_string(fdk_.grid.nz) + " voxels needs " + megabytes(volume_bytes()) + " and " +
                      megabytes(work) + " to work in, and " + left_text(plan, left, plan.device().name),
                  more_memory(plan, needed > left ? needed - left : 0) + ", or give fewer voxels or a coarser field");
  }

  /// With passes as large as half of what the budget leaves beside the volume and the tables; false when not even one
  /// view fits.
  bool try_passes(const PlanContext& plan, const FftService* fft) {
    const std::uint64_t left = plan.memory_left();
    views_per_pass_ = static_cast<int>(std::min<std::size_t>(views_per_pass_at_most, fdk_.order.size()));
    for (;; views_per_pass_ = (views_per_pass_ + 1) / 2) {
      stage_.emplace(RampStage::Shape{.columns = fdk_.columns,
                                      .rows = fdk_.rows,
                                      .views = views_per_pass_,
                                      .length = fdk_.length,
                                      .extension = fdk_.extension.columns,
                                      .rectified = !fdk_.rectification.empty()},
                     fdk_.response, fft, plan.device().index, launcher_of(plan).concurrency);
      const std::int64_t node_floats =
          tuned_ == nullptr ? 3LL * field_grid_.nodes() : MotionColumns::view_floats(field_grid_, fdk_.column_axis);
      field_bytes_ =
          (static_cast<std::uint64_t>(node_floats) * sizeof(float) * static_cast<std::uint64_t>(views_per_pass_) + 63) /
          64 * 64;
      tuned_bytes_ = tuned_ == nullptr ? 0 : tuned_->tile.scratch_of(launcher_of(plan).concurrency);
      const std::uint64_t kept = volume_bytes() + table_bytes(plan);
      if (left == UINT64_MAX || kept + 2 * scratch_bytes() <= left) return true;
      if (views_per_pass_ == 1) return kept + scratch_bytes() <= left;
    }
  }

  std::uint64_t volume_bytes() const {
    return 4 * static_cast<std::uint64_t>(fdk_.grid.nx * fdk_.grid.ny * fdk_.grid.nz);
  }
  std::uint64_t work_bytes() const { return std::max(stage_->work_bytes(), field_bytes_ + tuned_bytes_); }
  std::uint64_t scratch_bytes() const {
    return stage_->stack_bytes() + work_bytes() + (on_host_ ? 2 * staged_bytes() : 0);
  }

  /// The projections of a pass, on their way to the device.
  std::int64_t raw_view() const { return static_cast<std::int64_t>(fdk_.raw_rows) * fdk_.raw_columns; }
  std::uint64_t staged_bytes() const {
    return static_cast<std::uint64_t>(views_per_pass_ * raw_view()) * sizeof(float);
  }
  float* staged(char* work, std::int64_t turn) const {
    return reinterpret_cast<float*>(work + work_bytes() + static_cast<std::uint64_t>(turn % 2) * staged_bytes());
  }
  void stage_views(const RunContext& run, const float* projections, std::int64_t first, float* to) const {
    const auto end = std::min<std::int64_t>(first + views_per_pass_, static_cast<std::int64_t>(fdk_.order.size()));
    for (std::int64_t i = first; i < end; ++i)
      run.copy(to + (i - first) * raw_view(), projections + fdk_.order[static_cast<std::size_t>(i)] * raw_view(),
               static_cast<std::uint64_t>(raw_view()) * sizeof(float), ISOCENTER_STREAM_BESIDE);
  }

  /// What upload takes.
  std::uint64_t table_bytes(const PlanContext& plan) const {
    const auto bytes = [](const auto& table) { return table.size() * sizeof table[0]; };
    return bytes(fdk_.order) + bytes(fdk_.weights) + bytes(fdk_.matrices) + bytes(moments_) +
           bytes(fdk_.rectification) + bytes(fdk_.redundancy) + stage_->table_bytes() +
           (on_host_ ? static_cast<std::uint64_t>(views_per_pass_) * sizeof(std::int64_t) : 0) +
           (plan.on_cpu() ? 0 : sizeof(std::int64_t));
  }
  void upload(PlanContext& plan) {
    order_table_ = plan.upload(std::span<const std::int64_t>(fdk_.order), "order of the views");
    weight_table_ = plan.upload(std::span<const FdkViewWeight>(fdk_.weights), "weights of the views");
    matrix_table_ = plan.upload(std::span<const FdkMatrix>(fdk_.matrices), "projection matrices");
    moment_table_ = plan.upload(std::span<const MotionMoment>(moments_), "phases of the views");
    if (!fdk_.rectification.empty())
      rectification_table_ =
          plan.upload(std::span<const FdkRectification>(fdk_.rectification), "resampling of the views");
    if (!fdk_.redundancy.empty())
      redundancy_table_ = plan.upload(std::span<const float>(fdk_.redundancy), "weights of the rays");
    stage_->upload(plan);
    if (on_host_) {
      std::vector<std::int64_t> places(static_cast<std::size_t>(views_per_pass_));
      std::iota(places.begin(), places.end(), 0);
      places_table_ = plan.upload(std::span<const std::int64_t>(places), "places of the views");
    }
    if (!plan.on_cpu()) note_ = plan.allocate<std::int64_t>(1, "the first view that cannot be filtered");
  }

  FdkRows rows_of(const float* projections, const std::int64_t* order, std::int64_t first) const {
    FdkRows rows{projections, order,   weight_table_ + first, fdk_.raw_columns, fdk_.raw_rows, fdk_.columns,
                 fdk_.begin,  fdk_.end};
    if (rectification_table_ != nullptr) rows.rectification = rectification_table_ + first;
    if (redundancy_table_ != nullptr) {
      rows.redundancy = redundancy_table_ + first * fdk_.columns;
      rows.redundancy_stride = fdk_.columns;
    }
    rows.extension = fdk_.extension;
    return rows;
  }

  /// On a device.
  void check_readings(const RunContext& run, const float* projections) const {
    const std::int64_t entry = read_note(run, note_);
    if (entry == no_reading) return;
    const std::int64_t view = fdk_.order[static_cast<std::size_t>(entry)];
    refuse_reading_among(run, projections + view * fdk_.raw_rows * fdk_.raw_columns, view, 1, fdk_.raw_rows,
                         fdk_.raw_columns);
  }

  /// A displacement that reaches the source would divide by zero.
  void check_field(const RunContext& run, const Launcher& launcher, const float* const (&field)[3]) const {
    const auto limit = static_cast<float>(most_mm_);
    for (std::size_t k = 0; k < 3; ++k) {
      std::int64_t bad = no_reading;
      if (note_ != nullptr) clear_note(run, note_);
      launch(launcher, ReadingCheck{field[k], note_ != nullptr ? note_ : &bad, motion_.nx, motion_.ny, -limit, limit},
             motion_.nx, motion_.ny, motion_.nz * motion_.nt);
      if (note_ != nullptr) bad = read_note(run, note_);
      if (bad != no_reading) refuse_displacement(run, k, field[k], bad);
    }
  }

  [[noreturn]] void refuse_displacement(const RunContext& run, std::size_t axis, const float* field,
                                        std::int64_t place) const {
    float value = 0.0F;
    run.copy(&value, field + place, sizeof value);
    run.wait();
    const std::int64_t nodes = motion_.frame_voxels(), i = place % nodes;
    throw Failure(ErrorCode::bad_data,
                  std::string("input '") + motion_ports[axis] + "' has " + text_of(static_cast<double>(value)) +
                      " mm at node (" + std::to_string(i % motion_.nx) + ", " +
                      std::to_string(i / motion_.nx % motion_.ny) + ", " + std::to_string(i / motion_.nx / motion_.ny) +
                      ") of frame " + std::to_string(place / nodes) + ", and displacements up to " + text_of(most_mm_) +
                      " mm are allowed",
                  "check the field: displacements in mm, finite everywhere");
  }

  FdkPlan fdk_;
  GridShape motion_;
  MotionGrid field_grid_{};
  std::vector<MotionMoment> moments_;
  std::vector<double> planned_views_;
  std::optional<RampStage> stage_;
  double most_mm_ = 0;
  int views_per_pass_ = 1;
  const MotionVariant* tuned_ = nullptr;
  std::uint64_t field_bytes_ = 0, tuned_bytes_ = 0;
  const std::int64_t* order_table_ = nullptr;
  const FdkViewWeight* weight_table_ = nullptr;
  const FdkMatrix* matrix_table_ = nullptr;
  const MotionMoment* moment_table_ = nullptr;
  const FdkRectification* rectification_table_ = nullptr;
  const float* redundancy_table_ = nullptr;
  const std::int64_t* places_table_ =
      nullptr;                    ///< 0, 1, 2, ... for the views of a pass; where projections stay on the host
  bool on_host_ = false;          ///< the projections, of a reconstruction on a device
  std::int64_t* note_ = nullptr;  ///< on a device (bad_reading.hpp)
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(motion_compensated_reconstruction, MotionCompensatedReconstructionOperator)
