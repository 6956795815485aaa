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
#include "recon/acquisition_check.hpp"
#include "recon/bad_reading.hpp"
#include "recon/fdk_plan.hpp"
#include "recon/memory_need.hpp"
#include "recon/motion_field.hpp"
#include "recon/motion_simd.hpp"
#include "recon/ramp_stage.hpp"
#include "recon/reading_check.hpp"
#include "recon/reconstruction_grid.hpp"
#include "recon/slab_cut.hpp"

namespace isocenter::detail {

namespace {

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

}  // namespace

class MotionCompensatedReconstructionOperator : public OperatorBase<MotionCompensatedReconstruction> {
 public:
  void plan(PlanContext& plan) override {
    const PayloadRef input = plan.input("input");
    const Acquisition scan =
        check_acquisition(plan, "input", {.least_views = 3, .method = "FDK", .cone_beam = true, .flat_detector = true});
    const FdkRequest request = request_for(input, scan);
    fdk_ = plan_fdk(request);
    const VoxelGrid& g = fdk_.grid;
    for (const AcquisitionWarning& w : check_volume(scan, {g.nx, g.ny, g.nz, Geometry(g.spacing_mm, g.origin_mm)}))
      plan.warn(w.what, w.fix);
    const std::span<const double> numbers = input.numbers("acquisition.views");
    planned_views_.assign(numbers.begin(), numbers.end());
    field_ = MotionField(plan, g);
    choose_moments(scan);
    most_mm_ = 0.5 * length(minus(scan.views[0].source_mm, isocentre_of(scan)));

    const FftService* fft = ramp_transform_of(plan);
    if (!plan.on_cpu()) {
      plan.require_kernel<MotionBlend>();
      plan.require_kernel<MotionBackProject>();
      plan.require_kernel<ReadingCheck>();
      plan.require_kernel<FilteredCheck>();
    }
    if (plan.on_cpu() && !launcher_of(plan).reference_only &&
        motion_field_is_coarse(field_.part(0, g.nz).grid, fdk_.column_axis))
      tuned_ = motion_variant_of_this_processor();
    // On the CPU slabs pay only where nobody needs the whole in the same memory.
    const bool may_cut = params.slabs == 0 && (!plan.on_cpu() || plan.takes_slabs("output"));
    cut_ = find_slab_cut(g.nz, plan.communicator(), params.slabs, may_cut,
                         [&](const SlabCut& cut, std::int64_t, bool is_last) {
                           cut_ = cut;
                           return fits(plan, fft, is_last);
                         });
    plan.scratch(scratch_bytes());
    upload(plan, request);
    if (cut_.count() > 1) plan.spread(cut_.count());
    describe(plan.output("output"));
    state_facts(plan);
  }

  void run(const RunContext& run) override {
    const PayloadRef input = run.input("input");
    require_planned_views(input, planned_views_);
    const auto part = static_cast<std::size_t>(run.part());
    const Launcher launcher = launcher_of(run);
    const auto* projections = input.tensor("views").as<const float>();
    auto* volume = run.output("output").tensor("voxels").as<float>();
    if (cut_.is_cut()) run.output("output").set_geometry(slab_geometry(whole(), cut_.slabs.first[part]));
    char* const stack = run.scratch<char>();
    char* const work = stack + stage_->stack_bytes();
    const MotionBlend field = field_of(run, launcher, work);
    const FdkMatrix* const matrices = matrix_table_ + part * fdk_.order.size();
    const MotionGrid nodes = parts_[part].grid;
    const auto all = static_cast<std::int64_t>(fdk_.order.size());
    const int nx = static_cast<int>(fdk_.grid.nx), ny = static_cast<int>(fdk_.grid.ny),
              nz = static_cast<int>(cut_.height);
    if (on_host_) stage_views(run, projections, 0, staged(work, 0));
    if (field_on_host_) run.follow(ISOCENTER_STREAM_MAIN);
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
      // The blended field takes the place of what the filter worked in.
      MotionBlend blend = field;
      blend.moments += first;
      const MotionBackProject job{stage_->stack(stack),
                                  matrices + first,
                                  views,
                                  blend.blended,
                                  nodes,
                                  volume,
                                  nx,
                                  ny,
                                  nz,
                                  params.unit == AttenuationUnit::hu ? -1000.0F : 0.0F,
                                  first > 0,
                                  fdk_.column_axis};
      if (tuned_ == nullptr) {
        launch(launcher, blend, nodes.nodes(), views, 1);
        launch(launcher, job, nx, ny, nz);
        continue;
      }
      const FdkStop stop{[](void* user) { return static_cast<const RunContext*>(user)->cancelled(); },
                         const_cast<void*>(static_cast<const void*>(&run))};
      motion_back_project_by(launcher, *tuned_, job, motion_columns(launcher, blend, job, blend.blended),
                             work + field_bytes_, stop);
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

  void choose_moments(const Acquisition& scan) {
    for (const std::int64_t n : fdk_.order) {
      const double phase = scan.views[static_cast<std::size_t>(n)].phase;
      if (!(phase >= 0.0 && phase < 1.0))
        throw Failure(ErrorCode::bad_data, "view " + std::to_string(n) + " has no motion phase in [0, 1)",
                      "put phase_sort before this node");
      moments_.push_back(field_.moment(phase));
    }
  }

  /// Whether this cut does. On a device that holds the projections only beside passes of a few views they stay on the
  /// host, and with slabs the field too, unless a node before this one has left them there: that would free nothing.
  bool fits(PlanContext& plan, const FftService* fft, bool is_last) {
    parts_.clear();
    for (const std::int64_t first : cut_.slabs.first) parts_.push_back(field_.part(first, cut_.height));
    const auto may_stay = [&](const char* port) {
      return !plan.on_cpu() && std::strcmp(plan.input(port).device(), plan.device().name) != 0;
    };
    if (cut_.is_cut() && !field_on_host_ && std::all_of(std::begin(motion_ports), std::end(motion_ports), may_stay)) {
      field_on_host_ = true;
      for (const char* port : motion_ports) plan.keep_on_host(port);
    }
    bool fits = try_passes(plan, fft, is_last);
    const bool is_wide = fits && views_per_pass_ >= std::min(8, static_cast<int>(fdk_.order.size()));
    if (!is_wide && !on_host_ && may_stay("input")) {
      on_host_ = true;
      plan.keep_on_host("input");
      fits = try_passes(plan, fft, is_last);
    }
    if (fits || !is_last) return fits;
    const std::uint64_t work = scratch_bytes() + table_bytes(plan), needed = volume_bytes() + work,
                        left = plan.memory_left();
    throw Failure(ErrorCode::out_of_memory,
                  (cut_.is_cut() ? "even a slab of " : "a volume of ") + std::to_string(fdk_.grid.nx) + " x " +
                      std::to_string(fdk_.grid.ny) + " x " + std::to_string(cut_.height) + " voxels needs " +
                      megabytes(volume_bytes()) + " and " + megabytes(work) + " to work in, and " +
                      left_text(plan, left, plan.device().name),
                  more_memory(plan, needed > left ? needed - left : 0) + ", or give fewer voxels or a coarser field");
  }

  /// With passes as large as half of what the budget leaves beside the volume and the tables. Slabs leave half of it to
  /// the nodes behind, and are thinner rather than made in passes of a few views.
  bool try_passes(const PlanContext& plan, const FftService* fft, bool is_last) {
    const std::uint64_t left = plan.memory_left();
    const auto views = static_cast<int>(fdk_.order.size());
    views_per_pass_ = std::min(views_per_pass_at_most, views);
    for (;; views_per_pass_ = (views_per_pass_ + 1) / 2) {
      stage_.emplace(RampStage::Shape{.columns = fdk_.columns,
                                      .rows = fdk_.rows,
                                      .views = views_per_pass_,
                                      .length = fdk_.length,
                                      .extension = fdk_.extension.columns,
                                      .rectified = !fdk_.rectification.empty()},
                     fdk_.response, fft, plan.device().index, launcher_of(plan).concurrency);
      std::int64_t node_floats = 0;
      for (const MotionPart& p : parts_)
        node_floats = std::max<std::int64_t>(node_floats, tuned_ == nullptr
                                                              ? 3LL * p.grid.nodes()
                                                              : MotionColumns::view_floats(p.grid, fdk_.column_axis));
      field_bytes_ =
          (static_cast<std::uint64_t>(node_floats) * sizeof(float) * static_cast<std::uint64_t>(views_per_pass_) + 63) /
          64 * 64;
      tuned_bytes_ = tuned_ == nullptr ? 0 : tuned_->tile.scratch_of(launcher_of(plan).concurrency);
      const std::uint64_t kept = volume_bytes() + table_bytes(plan);
      if (left == UINT64_MAX) return true;
      if (may_be_thinner(is_last)) {
        if (kept + scratch_bytes() <= left / 2) return true;
        if (views_per_pass_ <= std::min(8, views)) return false;
      } else {
        if (kept + 2 * scratch_bytes() <= left) return true;
        if (views_per_pass_ == 1) return kept + scratch_bytes() <= left;
      }
    }
  }
  bool may_be_thinner(bool is_last) const { return cut_.count() > 1 && !is_last; }

  std::uint64_t volume_bytes() const {
    return 4 * static_cast<std::uint64_t>(fdk_.grid.nx * fdk_.grid.ny * cut_.height);
  }
  std::uint64_t work_bytes() const { return std::max(stage_->work_bytes(), field_bytes_ + tuned_bytes_); }
  std::uint64_t scratch_bytes() const {
    return stage_->stack_bytes() + work_bytes() + (on_host_ ? 2 * staged_bytes() : 0) +
           (field_on_host_ ? 3 * component_bytes() : 0);
  }

  /// The field's part of a slab, one component, on its way to the device.
  std::uint64_t component_bytes() const {
    int slices = 0;
    for (const MotionPart& p : parts_) slices = std::max(slices, p.grid.nz);
    return static_cast<std::uint64_t>(field_.frames()) * static_cast<std::uint64_t>(slices) *
           static_cast<std::uint64_t>(field_.slice_nodes()) * sizeof(float);
  }
  /// Where the field lies for this run's slab, whole or the nodes of the slab brought to the device.
  MotionBlend field_of(const RunContext& run, const Launcher& launcher, char* work) const {
    const float* field[3] = {};
    for (std::size_t k = 0; k < 3; ++k) field[k] = run.input(motion_ports[k]).tensor("voxels").as<const float>();
    // A slab that fails ends the others of its volume.
    if (run.part() == 0)
      field_.check(run, field_on_host_ ? host_launcher(launcher) : launcher, field, most_mm_,
                   field_on_host_ ? nullptr : note_);
    if (note_ != nullptr) clear_note(run, note_);
    const MotionPart& part = parts_[static_cast<std::size_t>(run.part())];
    const std::int64_t frame = field_.shape().frame_voxels(), nodes = part.grid.nodes(),
                       skipped = part.first * field_.slice_nodes();
    for (std::size_t k = 0; k < 3; ++k) {
      field[k] += skipped;
      if (!field_on_host_) continue;
      auto* const to =
          reinterpret_cast<float*>(work + work_bytes() + (on_host_ ? 2 * staged_bytes() : 0) + k * component_bytes());
      for (std::int64_t f = 0; f < field_.frames(); ++f)
        run.copy(to + f * nodes, field[k] + f * frame, static_cast<std::uint64_t>(nodes) * sizeof(float),
                 ISOCENTER_STREAM_BESIDE);
      field[k] = to;
    }
    MotionBlend blend{field[0],
                      field[1],
                      field[2],
                      moment_table_,
                      reinterpret_cast<float*>(work),
                      part.grid.nodes(),
                      field_on_host_ ? nodes : frame,
                      {}};
    for (std::size_t k = 0; k < 3; ++k) blend.voxels_per_mm[k] = static_cast<float>(1.0 / fdk_.grid.spacing_mm[k]);
    return blend;
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
    return bytes(fdk_.order) + bytes(fdk_.weights) + static_cast<std::uint64_t>(cut_.count()) * bytes(fdk_.matrices) +
           bytes(moments_) + bytes(fdk_.rectification) + bytes(fdk_.redundancy) + stage_->table_bytes() +
           (on_host_ ? static_cast<std::uint64_t>(views_per_pass_) * sizeof(std::int64_t) : 0) +
           (plan.on_cpu() ? 0 : sizeof(std::int64_t));
  }
  void upload(PlanContext& plan, const FdkRequest& request) {
    const FdkSlabRows all_rows{fdk_.rows, std::vector<int>(cut_.slabs.first.size(), 0)};  // the tissue may be anywhere
    const std::vector<FdkMatrix> matrices =
        cut_.is_cut() ? fdk_slab_tables(request, fdk_, cut_.slabs.first, all_rows).matrices : fdk_.matrices;
    order_table_ = plan.upload(std::span<const std::int64_t>(fdk_.order), "order of the views");
    weight_table_ = plan.upload(std::span<const FdkViewWeight>(fdk_.weights), "weights of the views");
    matrix_table_ = plan.upload(std::span<const FdkMatrix>(matrices), "projection matrices");
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

  Geometry whole() const { return Geometry(fdk_.grid.spacing_mm, fdk_.grid.origin_mm); }

  void describe(PayloadRef output) const {
    output.set_tensor("voxels", tensor(DType::float32, "zyx", {cut_.height, fdk_.grid.ny, fdk_.grid.nx}));
    output.set_geometry(whole());
    if (cut_.is_cut()) set_slabs(output, cut_.slabs);
    output.set_text("unit", params.unit == AttenuationUnit::hu ? "HU" : "1/mm");
  }

  void state_facts(PlanContext& plan) const {
    plan.fact("fdk.field_of_view_mm", "radius " + text_of(fdk_.field_of_view_mm));
    if (fdk_.extension.columns == 0) warn_of_unseen_side(plan, fdk_.field_of_view_mm, fdk_.longer_side_mm);
    plan.fact("fdk.views_per_pass", std::to_string(views_per_pass_));
    if (on_host_) plan.fact("motion.projections", "in host memory, brought to the device pass by pass");
    if (field_on_host_) plan.fact("motion.field", "in host memory, brought to the device slab by slab");
    plan.fact("motion.frames", std::to_string(field_.frames()));
    plan.fact("motion.back_projection", tuned_ == nullptr ? "reference" : tuned_->name);
    if (!cut_.is_cut()) return;
    int slices = 0;
    for (const MotionPart& p : parts_) slices = std::max(slices, p.grid.nz);
    plan.fact("motion.slabs", cut_.text() + ", each with up to " + std::to_string(slices) + " of " +
                                  std::to_string(field_.shape().nz) + " node slices of the field");
  }

  FdkPlan fdk_;
  MotionField field_;
  SlabCut cut_;
  std::vector<MotionPart> parts_;  ///< of the field, for each slab
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
  bool field_on_host_ = false;    ///< likewise
  std::int64_t* note_ = nullptr;  ///< on a device (bad_reading.hpp)
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(motion_compensated_reconstruction, MotionCompensatedReconstructionOperator)
