#include <algorithm>
#include <cstring>
#include <isocenter/recon/helical_reconstruction.hpp>
#include <optional>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "recon/bad_reading.hpp"
#include "recon/helical_engine.hpp"
#include "recon/helical_stream.hpp"
#include "recon/memory_need.hpp"
#include "recon/ramp_filter.hpp"
#include "recon/reading_check.hpp"
#include "recon/reconstruction_grid.hpp"
#include "recon/slab_cut.hpp"
#include "recon/vector_kernels.hpp"
#include "recon/view_blocks.hpp"

namespace isocenter::detail {

namespace {

/// Parallel views that are filtered and back-projected together: of all half turns of a few directions.
constexpr int views_per_pass = 64;
/// Of a scan in blocks: fewer directions, and an eighth of all at most, because the last ones are what is waited for;
/// and slices that are summed over them together, which fill registers.
constexpr int directions_per_step = 16, slices_per_step = 16;

}  // namespace

class HelicalReconstructionOperator : public OperatorBase<HelicalReconstruction> {
 public:
  void plan(PlanContext& plan) override {
    const PayloadRef input = plan.input("input");
    blocks_ = ViewBlocks(input);
    const Acquisition scan =
        check_acquisition(plan, "input", {.least_views = 3, .method = "helical_reconstruction", .cone_beam = true},
                          nullptr, blocks_.count());
    const Helix helix = find_helix(scan);
    const HelicalGrid placed =
        place_helical_grid(helix, {params.nx, params.ny, params.nz, params.spacing_mm, params.offset_mm});
    for (const AcquisitionWarning& w : check_volume(scan, placed.volume)) plan.warn(w.what, w.fix);
    const std::span<const double> numbers = input.numbers("acquisition.views");
    planned_views_.assign(numbers.begin(), numbers.end());

    const FftService* fft = ramp_transform_of(plan);
    if (!plan.on_cpu()) require_kernels(plan);
    const bool in_hu = params.unit == AttenuationUnit::hu;
    engine_.emplace(helix, placed, params.full_part, in_hu ? -1000.0F : 0.0F,
                    plan.on_cpu() && !launcher_of(plan).reference_only ? helical_variant_of_this_processor() : nullptr);
    const double scale = in_hu ? 1000.0 / water_attenuation(params.mu_water_per_mm, input) : 1.0;
    choose_pieces(plan,
                  ramp_response(ramp_filter_length(helix.columns), helix.columns, engine_->column_step_mm(),
                                static_cast<RampWindow>(params.window), params.cutoff, scale),
                  fft);

    const VolumeGrid& grid = engine_->grid;
    PayloadRef output = plan.output("output");
    output.set_tensor("voxels", tensor(DType::float32, "zyx", {cut_.height, grid.ny, grid.nx}));
    if (cut_.is_cut()) set_slabs(output, cut_.slabs);
    output.set_geometry(grid.geometry);
    output.set_text("unit", in_hu ? "HU" : "1/mm");
    plan.scratch(scratch_bytes());
    engine_->upload(plan);
    if (cut_.count() > 1) plan.spread(cut_.count());
    if (blocks_.several()) {
      plan.gather(blocks_.count());
      stream_.allocate(plan, *engine_);
    } else if (!plan.on_cpu()) {
      note_ = plan.allocate<std::int64_t>(1, "the first view that cannot be filtered");
    }
    state_facts(plan, placed);
  }

  void run(const RunContext& run) override {
    const PayloadRef input = run.input("input");
    require_planned_views(input, planned_views_);
    const auto* projections = input.tensor("views").as<const float>();
    auto* volume = run.output("output").tensor("voxels").as<float>();
    const std::size_t slab = cut_.is_cut() ? static_cast<std::size_t>(run.part()) : 0;
    if (cut_.is_cut()) run.output("output").set_geometry(slab_geometry(engine_->grid.geometry, cut_.slabs.first[slab]));
    if (blocks_.several()) {
      const std::int64_t block = blocks_.begin(run.sequence()), views = input.tensor("views").extent('n');
      const auto begin = static_cast<int>(block * views), behind = static_cast<int>((block + 1) * views);
      stream_.add(run, *engine_, {projections, begin, behind}, volume);
      blocks_.done(block);
    } else {
      reconstruct(run, projections, slab, volume);
    }
    run.check_cancelled();
  }

  void finish(bool completed) override { blocks_.finish(completed); }

 private:
  /// All of a slab, in passes over its directions.
  void reconstruct(const RunContext& run, const float* projections, std::size_t slab, float* volume) const {
    const Launcher launcher = launcher_of(run);
    const HelicalSchedule& schedule = engine_->schedule;
    char* const scratch = run.scratch<char>();
    auto* parallel = reinterpret_cast<float*>(scratch);
    char* const stack = scratch + engine_->parallel_bytes();
    char* const work = stack + engine_->stage->stack_bytes();
    auto* const rings = reinterpret_cast<float*>(work + engine_->work_bytes());
    HelicalViews views = views_;
    views.readings = on_host_ ? rings : projections;
    if (note_ != nullptr) clear_note(run, note_);
    if (on_host_) stage(run, projections, slab, 0, rings);
    const int first_turn = schedule.first_of(slab), turns = schedule.of_slab();
    for (int first = 0; first < schedule.directions(); first += directions_per_pass_) {
      run.check_cancelled();
      run.progress(static_cast<double>(first) / schedule.directions());
      const int behind = std::min(first + directions_per_pass_, schedule.directions()), rays = (behind - first) * turns;
      if (on_host_) {
        run.follow(ISOCENTER_STREAM_MAIN);
        run.follow(ISOCENTER_STREAM_BESIDE);  // the pass before is done with the views that leave the rings
        if (behind < schedule.directions()) stage(run, projections, slab, behind, rings);
      }
      if (engine_->filter(launcher, views, engine_->turns(first, first_turn, turns), rays, parallel, stack, work) >= 0)
        refuse_reading_of(run, projections);
      if (note_ != nullptr)
        launch(launcher, FilteredCheck::of(engine_->stage->stack(stack), note_, 0), engine_->helix.rows, 1, rays);
      engine_->back_project(run, launcher,
                            {stack, HelicalPlaces::in_order(turns), first, behind - first, first_turn, turns,
                             cut_.slabs.first[slab], cut_.height, first > 0},
                            volume, work);
    }
    if (note_ != nullptr && read_note(run, note_) != no_reading) refuse_reading_of(run, projections);
  }

  static void require_kernels(const PlanContext& plan) {
    plan.require_kernel<HelicalRebin>();
    plan.require_kernel<HelicalBackProject>();
    plan.require_kernel<FilteredCheck>();
    plan.require_kernel<ReadingCheck>();
    plan.require_kernel<FillFloats>();
  }

  /// Whole where that fits, and where it does not or `slabs` says so in slabs along z, each from the half turns near
  /// it: on the CPU where what is behind takes slabs, because the whole would be put together in the same memory
  /// otherwise; on a device with the projections in host memory, where they come from there. More processes have a slab
  /// each. A scan in blocks is not cut: its slabs would end at different blocks.
  void choose_pieces(PlanContext& plan, const std::vector<double>& response, const FftService* fft) {
    if (params.slabs > 1 && blocks_.several())
      throw Failure(ErrorCode::unsupported,
                    "slabs = " + std::to_string(params.slabs) + ", and the scan comes in " +
                        std::to_string(blocks_.count()) + " blocks, from which the volume is made whole",
                    "give the scan as one item, or set slabs to 0");
    on_host_ = false;
    const bool frees = !plan.on_cpu() && std::strcmp(plan.input("input").device(), plan.device().name) != 0;
    const bool may_cut = params.slabs == 0 && !blocks_.several() && (!plan.on_cpu() || plan.takes_slabs("output"));
    const auto fits = [&](const SlabCut& cut, std::int64_t parts, bool is_last) {
      cut_ = cut;
      engine_->schedule.share_out(cut.slabs.first, cut.height);
      const bool takes_all = is_last || parts == 1;
      const auto chosen = [&] {
        return blocks_.several() ? choose_steps(plan, response, fft) : choose_pass(plan, response, fft, takes_all);
      };
      if (chosen()) return true;
      if (frees && !on_host_) {
        on_host_ = true;
        plan.keep_on_host("input");
        if (chosen()) return true;
      }
      if (is_last) refuse_budget(plan);
      return false;
    };
    cut_ = find_slab_cut(engine_->grid.nz, plan.communicator(), params.slabs, may_cut, fits);
  }

  /// As many directions at once as half of what the budget leaves allows, or as half of that where it does not take all
  /// but leaves the rest to the nodes behind. False when there is not even enough for one direction.
  bool choose_pass(const PlanContext& plan, const std::vector<double>& response, const FftService* fft,
                   bool takes_all) {
    const std::uint64_t left = plan.memory_left(), allowed = takes_all ? left : left / 2;
    const int turns = engine_->schedule.of_slab();
    directions_per_pass_ = std::clamp(views_per_pass / turns, 1, engine_->schedule.directions());
    for (;; directions_per_pass_ = (directions_per_pass_ + 1) / 2) {
      engine_->prepare(plan, directions_per_pass_ * turns, 0, response, fft);
      views_ = HelicalViews::all(nullptr, engine_->helix.views);
      const bool counted = !on_host_ || size_rings();
      const std::uint64_t other = volume_bytes() + engine_->table_bytes() + sizeof *note_;
      needed_ = other + scratch_bytes();
      const std::uint64_t most = allowed > other ? (allowed - other) / 2 : 0;
      if (counted && (left == UINT64_MAX || scratch_bytes() <= most)) return true;
      if (directions_per_pass_ == 1) return needed_ <= allowed;
    }
  }

  /// Steps of as many directions, and slices at once, as leave an eighth of the budget to the nodes behind, or the
  /// smallest where the budget holds these.
  bool choose_steps(const PlanContext& plan, const std::vector<double>& response, const FftService* fft) {
    const std::uint64_t left = plan.memory_left();
    int slices = slices_per_step;
    directions_per_pass_ = std::clamp(engine_->schedule.directions() / 8, 1, directions_per_step);
    for (;;) {
      const bool counted = stream_.size(*engine_, cut_.slabs.first[0], cut_.height, directions_per_pass_, slices);
      engine_->prepare(plan, directions_per_pass_, stream_.filtered_views(*engine_), response, fft);
      needed_ = volume_bytes() + engine_->table_bytes() + 2 * sizeof *note_ + scratch_bytes() +
                stream_.ring_bytes(*engine_) + engine_->stage->stack_bytes();
      if (counted && needed_ <= left - left / 8) return true;
      if (slices > 1)
        slices = 1;
      else if (directions_per_pass_ > 1)
        directions_per_pass_ = (directions_per_pass_ + 1) / 2;
      else if (counted)
        return needed_ <= left;
      else
        refuse_readings("a scan in blocks is made from ", stream_.ring_bytes(*engine_) / engine_->view_bytes(),
                        ", or give the scan as one item");
    }
  }

  /// HelicalRebin counts a ring's readings in 32 bits. False when passes of fewer directions may do.
  bool size_rings() {
    engine_->schedule.size_rings(directions_per_pass_, engine_->largest_shift(), &views_);
    const bool counted = views_.held * engine_->elements() <= INT32_MAX;
    if (directions_per_pass_ == 1 && !counted)
      refuse_readings("projections that the device does not hold are brought to it by ",
                      static_cast<std::uint64_t>(views_.held), ", or run this node on \"cpu\"");
    return counted;
  }

  [[noreturn]] void refuse_readings(const std::string& what, std::uint64_t views, const char* otherwise) const {
    throw Failure(ErrorCode::unsupported,
                  what + std::to_string(views) + " views of " + std::to_string(engine_->helix.rows) + " x " +
                      std::to_string(engine_->helix.columns) + " readings for each half turn, and " +
                      std::to_string(INT32_MAX) + " readings are the most",
                  std::string("bin the detector's elements") + otherwise);
  }

  [[noreturn]] void refuse_budget(const PlanContext& plan) const {
    const std::uint64_t left = plan.memory_left();
    const char* otherwise = blocks_.several() ? ", or give the scan as one item"
                            : cut_.is_cut()   ? ""
                                              : ", or give fewer slices at a time (nz, offset_mm)";
    throw Failure(ErrorCode::out_of_memory,
                  (cut_.is_cut() ? "even a slab of " : "a volume of ") + std::to_string(engine_->grid.nx) + " x " +
                      std::to_string(engine_->grid.ny) + " x " + std::to_string(cut_.height) + " voxels needs " +
                      megabytes(volume_bytes()) + " and " + megabytes(needed_ - volume_bytes()) + " to work in, and " +
                      left_text(plan, left, plan.device().name),
                  more_memory(plan, needed_ - left) + otherwise);
  }

  std::uint64_t volume_bytes() const {  // of a slab
    return 4 * static_cast<std::uint64_t>(engine_->grid.nx * engine_->grid.ny * cut_.height);
  }
  std::uint64_t ring_bytes() const {
    return on_host_ ? static_cast<std::uint64_t>(engine_->schedule.of_slab()) *
                          static_cast<std::uint64_t>(views_.held) * engine_->view_bytes()
                    : 0;
  }
  /// Of a scan in blocks ring and filtered views outlive a run.
  std::uint64_t scratch_bytes() const {
    return engine_->parallel_bytes() + engine_->work_bytes() +
           (blocks_.several() ? 0 : engine_->stage->stack_bytes() + ring_bytes());
  }

  /// Brings the views to the rings that the pass from direction `first` on needs, beside the ones that the pass before
  /// has brought.
  void stage(const RunContext& run, const float* projections, std::size_t slab, int first, float* rings) const {
    const std::int64_t view = engine_->elements();
    for (int k = 0; k < engine_->schedule.of_slab(); ++k) {
      const auto first_in = [&](int direction) {
        return views_.first_in(engine_->schedule.half_turn(direction, engine_->schedule.first_of(slab) + k));
      };
      const int behind = first_in(first) + views_.window;
      int next = first == 0 ? first_in(0) : first_in(first - directions_per_pass_) + views_.window;
      while (next < behind) {
        const int place = next % views_.held, count = std::min(behind - next, views_.held - place);
        run.copy(rings + (static_cast<std::int64_t>(k) * views_.held + place) * view, projections + next * view,
                 static_cast<std::uint64_t>(count) * engine_->view_bytes(), ISOCENTER_STREAM_BESIDE);
        next += count;
      }
    }
  }

  /// Several views are in each parallel one.
  [[noreturn]] void refuse_reading_of(const RunContext& run, const float* projections) const {
    const Helix& helix = engine_->helix;
    refuse_reading_among(run, projections, 0, helix.views, helix.rows, helix.columns);
  }

  void state_facts(PlanContext& plan, const HelicalGrid& placed) const {
    const Helix& helix = engine_->helix;
    plan.fact("helical.pitch", helical_number(helical_pitch(helix, helix.feed_per_rotation_mm())));
    plan.fact("helical.largest_pitch", helical_number(helical_pitch(helix, largest_feed_mm(helix, placed.radius_mm))));
    plan.fact("helical.covered_z_mm",
              helical_number(placed.covered.low_mm) + " to " + helical_number(placed.covered.high_mm));
    plan.fact("helical.field_of_view_mm", "radius " + helical_number(helix.field_of_view_mm()));
    plan.fact("helical.directions_per_pass", std::to_string(directions_per_pass_));
    if (blocks_.several()) plan.fact("helical.kept", stream_.text());
    if (on_host_) plan.fact("helical.projections", "in host memory, brought to the device pass by pass");
    if (cut_.is_cut())
      plan.fact("helical.slabs",
                cut_.text() + ", each from " + std::to_string(engine_->schedule.of_slab()) + " half turns");
    plan.fact("helical.back_projection", engine_->tuned == nullptr ? "reference" : engine_->tuned->name);
  }

  std::optional<HelicalEngine> engine_;
  SlabCut cut_;
  HelicalViews views_{};
  bool on_host_ = false;  ///< the projections, of a reconstruction on a device
  int directions_per_pass_ = 1;
  std::vector<double> planned_views_;
  std::uint64_t needed_ = 0;
  std::int64_t* note_ = nullptr;  ///< on a device (bad_reading.hpp)
  ViewBlocks blocks_;
  HelicalStream stream_;  ///< of a scan in blocks
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(helical_reconstruction, HelicalReconstructionOperator)
