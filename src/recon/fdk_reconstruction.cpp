#include <algorithm>
#include <cmath>
#include <cstring>
#include <isocenter/recon/fdk_reconstruction.hpp>
#include <numbers>
#include <numeric>
#include <optional>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "recon/acquisition_check.hpp"
#include "recon/fdk_engine.hpp"
#include "recon/memory_need.hpp"
#include "recon/reading_check.hpp"
#include "recon/slab_cut.hpp"
#include "recon/view_blocks.hpp"

namespace isocenter::detail {

class FdkReconstructionOperator : public OperatorBase<FdkReconstruction> {
 public:
  void plan(PlanContext& plan) override {
    const PayloadRef input = plan.input("input");
    blocks_ = ViewBlocks(input);
    const Acquisition scan =
        check_acquisition(plan, "input", {.least_views = 3, .method = "FDK", .cone_beam = true, .flat_detector = true},
                          nullptr, blocks_.count());
    const FdkRequest request = request_for(input, scan);
    const Launcher launcher = launcher_of(plan);
    const FftService* fft = ramp_transform_of(plan);
    FdkPlan made = plan_fdk(request);
    for (const AcquisitionWarning& w : check_volume(scan, volume_grid(made.grid))) plan.warn(w.what, w.fix);
    whole_ = Geometry(made.grid.spacing_mm, made.grid.origin_mm);
    on_host_ = false;
    make_engine(plan, made, fft, launcher.concurrency, input.tensor("views").extent('n'));
    const FdkPlan& p = engine_->plan();
    if (!plan.on_cpu()) require_kernels(plan);
    const std::span<const double> geometry = input.numbers("acquisition.views");
    planned_views_.assign(geometry.begin(), geometry.end());

    describe(plan.output("output"), input, request.phases);
    plan.scratch(engine_->scratch_bytes());
    upload_tables(plan, request, made);
    if (cut_.count() > 1) plan.spread(cut_.count());
    if (blocks_.several()) {
      plan.gather(blocks_.count());
      waiting_ = plan.allocate<char>(engine_->stack_bytes(), "filtered views that wait for their pass");
    }
    state_facts(plan, p, engine_->views_per_pass());
    if (on_host_) plan.fact("fdk.projections", "in host memory, brought to the device pass by pass");
    if (cut_.is_cut())
      plan.fact("fdk.slabs", cut_.text() + ", each from " + std::to_string(rows_.rows) + " of " +
                                 std::to_string(made.rows) + " detector rows");
  }

  void run(const RunContext& run) override {
    const PayloadRef input = run.input("input");
    const std::span<const double> views = input.numbers("acquisition.views");
    if (!std::equal(views.begin(), views.end(), planned_views_.begin(), planned_views_.end()))
      throw Failure(ErrorCode::bad_data,
                    "this item's acquisition.views differ from those that the session was planned with",
                    "prepare a session for each acquisition geometry");
    const FdkWatch watch{[](void* user, double done) {
                           const auto& context = *static_cast<const RunContext*>(user);
                           context.check_cancelled();
                           context.progress(done);
                         },
                         [](void* user) { return static_cast<const RunContext*>(user)->cancelled(); },
                         const_cast<void*>(static_cast<const void*>(&run))};
    if (cut_.is_cut()) {
      const auto part = static_cast<std::size_t>(run.part());
      FdkTables tables = tables_;
      tables.matrices += part * engine_->plan().order.size();
      tables.weights += part * engine_->plan().order.size();
      if (tables.rectification != nullptr) tables.rectification += part * engine_->plan().order.size();
      tables.first_row = rows_.first[part];
      engine_->use(tables);
      run.output("output").set_geometry(slab_geometry(whole_, cut_.slabs.first[part]));
    }
    const auto* projections = input.tensor("views").as<float>();
    auto* voxels = run.output("output").tensor("voxels").as<float>();
    const float initial = params.unit == AttenuationUnit::hu ? -1000.0F : 0.0F;
    if (!blocks_.several()) {
      engine_->run(launcher_of(run), projections, voxels, initial, run.scratch(), watch, &run);
    } else {
      const std::int64_t block = blocks_.begin(run.sequence());
      engine_->add(launcher_of(run), projections, block * input.tensor("views").extent('n'), voxels, initial, waiting_,
                   run.scratch(), watch, &run);
      blocks_.done(block);
    }
    run.check_cancelled();
  }

  void finish(bool completed) override { blocks_.finish(completed); }

 private:
  static VolumeGrid volume_grid(const VoxelGrid& g) { return {g.nx, g.ny, g.nz, Geometry(g.spacing_mm, g.origin_mm)}; }

  /// Passes of a few views read and write the volume too often.
  bool has_wide_passes() const {
    return static_cast<std::size_t>(engine_->views_per_pass()) >=
           std::min<std::size_t>(8, engine_->plan().order.size());
  }

  /// Whole where that fits, and where it does not or `slabs` says so in slabs along z, which lie together in memory and
  /// in files. More processes have a slab each. On a device that does not hold the projections beside the volume they
  /// stay on the host.
  void make_engine(PlanContext& plan, const FdkPlan& made, const FftService* fft, int concurrency, std::int64_t block) {
    // On the CPU slabs pay only where nobody needs the whole in the same memory.
    const bool may_cut = params.slabs == 0 && !blocks_.several() && (!plan.on_cpu() || plan.takes_slabs("output"));
    if (params.slabs > 1 && blocks_.several())
      throw Failure(ErrorCode::unsupported,
                    "slabs = " + std::to_string(params.slabs) + ", and the scan comes in " +
                        std::to_string(blocks_.count()) + " blocks, of which each would be needed for every slab",
                    "give the scan as one item, or set slabs to 0");
    cut_ = find_slab_cut(made.grid.nz, plan.communicator(), params.slabs, may_cut,
                         [&](const SlabCut& cut, std::int64_t parts, bool is_last) {
                           cut_ = cut;
                           return fits(plan, made, fft, concurrency, block, parts, is_last);
                         });
  }

  /// Whether this cut does.
  bool fits(PlanContext& plan, const FdkPlan& made, const FftService* fft, int concurrency, std::int64_t block,
            std::int64_t parts, bool is_last) {
    FdkPlan slab = made;
    slab.grid.nz = cut_.height;
    if (cut_.is_cut()) {
      rows_ = fdk_slab_rows(made, cut_.slabs.first, cut_.height);
      slab.rows = rows_.rows;
    }
    std::string refused = try_engine(plan, slab, parts, fft, concurrency, block);
    const bool fits_badly = !refused.empty() || !has_wide_passes();
    // Projections that a node before this one has left on the device take their memory there anyway.
    const bool frees = std::strcmp(plan.input("input").device(), plan.device().name) != 0;
    if (fits_badly && frees && !on_host_ && !plan.on_cpu() && !blocks_.several()) {
      on_host_ = true;
      plan.keep_on_host("input");
      refused = try_engine(plan, std::move(slab), parts, fft, concurrency, block);
    }
    if (!refused.empty() && is_last) throw Failure(ErrorCode::out_of_memory, refused, fix_);
    return refused.empty();
  }

  /// With passes as large as half of what the budget leaves; the rest is for the nodes behind. What was missing, and
  /// fix_, when it does not fit.
  std::string try_engine(const PlanContext& plan, FdkPlan made, std::int64_t parts, const FftService* fft,
                         int concurrency, std::int64_t block) {
    const VoxelGrid grid = made.grid;
    const std::size_t views = made.order.size();
    const auto volume =
        4 * static_cast<std::uint64_t>(grid.nx * grid.ny * grid.nz) * static_cast<std::uint64_t>(made.frames());
    const std::uint64_t of_slab =
        views * (sizeof(FdkViewWeight) + sizeof(FdkMatrix)) + made.rectification.size() * sizeof(FdkRectification);
    const std::uint64_t tables = (views + fdk_views_per_pass_device + 1) * sizeof(std::int64_t) +
                                 static_cast<std::uint64_t>(parts) * of_slab + made.redundancy.size() * sizeof(float) +
                                 static_cast<std::uint64_t>(made.length) * 4 * sizeof(float);
    const std::uint64_t left = plan.memory_left(), other = volume + tables;
    FdkLimits limits;
    limits.block = blocks_.several() ? block : 0;
    limits.on_host = on_host_;
    const bool last = cut_.height == 1 || parts == 1 || params.slabs > 0;
    if (left != UINT64_MAX) limits.most_bytes = left > other ? (left - other) / 2 : 0;
    if (left != UINT64_MAX && !last) limits.most_bytes = left / 2 > other ? left / 2 - other : 0;
    engine_.emplace(std::move(made), fft, plan.device().index, concurrency, limits);
    const std::uint64_t work = engine_->stack_bytes() + engine_->scratch_bytes();
    if (left == UINT64_MAX) return {};
    // Slabs leave half of it to the nodes behind, and are thinner rather than made in passes of a few views.
    const bool fits_well = other + work <= left / 2 && has_wide_passes();
    if (last ? other + work <= left : fits_well) return {};
    const double part =
        left > tables + work ? std::cbrt(static_cast<double>(left - tables - work) / static_cast<double>(volume)) : 0.0;
    const auto fits = [&](std::int64_t n) {
      return std::to_string(static_cast<std::int64_t>(part * static_cast<double>(n)));
    };
    // Too little is left for a pass of one view: work is the least.
    fix_ = more_memory(plan, other + work > left ? other + work - left : 0);
    if (!cut_.is_cut() && part * static_cast<double>(std::min({grid.nx, grid.ny, grid.nz})) >= 1.0)
      fix_ += "; " + fits(grid.nx) + " x " + fits(grid.ny) + " x " + fits(grid.nz) + " voxels would fit";
    return (cut_.is_cut() ? "even a slab of " : "a volume of ") + std::to_string(grid.nx) + " x " +
           std::to_string(grid.ny) + " x " + std::to_string(grid.nz) + " voxels needs " + megabytes(volume) + " and " +
           megabytes(work + tables) + " to work in, and " + left_text(plan, left, plan.device().name);
  }

  FdkRequest request_for(const PayloadRef& input, const Acquisition& scan) const {
    FdkRequest r;
    r.views = scan.views;
    r.beam = scan.beam;
    r.columns = scan.columns;
    r.rows = scan.rows;
    const std::span<const double> phases = input.numbers("acquisition.phases");
    r.phases = phases.empty() ? 1 : static_cast<int>(phases[0]);
    if (blocks_.several() && r.phases > 1)
      throw Failure(ErrorCode::unsupported,
                    "the scan comes in " + std::to_string(blocks_.count()) + " blocks and has " +
                        std::to_string(r.phases) + " motion phases, which need all views at once",
                    "give the scan as one item");
    r.nx = params.nx;
    r.ny = params.ny;
    r.nz = params.nz;
    r.spacing_mm = three(params.spacing_mm, "spacing_mm");
    r.offset_mm = three(params.offset_mm, "offset_mm");
    r.window = static_cast<RampWindow>(params.window);
    r.cutoff = params.cutoff;
    r.scale = params.unit == AttenuationUnit::hu ? 1000.0 / mu_water(input) : 1.0;
    r.truncation = static_cast<RowTruncation>(params.truncation);
    r.extension_mm = params.extension_mm;
    if (r.truncation == RowTruncation::water_cylinder) r.mu_water_per_mm = mu_water(input);
    r.largest_gap_rad = params.largest_gap_deg * std::numbers::pi / 180.0;
    return r;
  }

  double mu_water(const PayloadRef& input) const {
    if (params.mu_water_per_mm > 0.0) return params.mu_water_per_mm;
    const std::span<const double> given = input.numbers("mu_water_per_mm");
    if (given.empty() || !(given[0] > 0.0))
      throw Failure(ErrorCode::invalid_argument,
                    "mu_water_per_mm = 0, and the projections have no attribute mu_water_per_mm either",
                    "set it (0.02059 at 60 keV); or set unit to 1/mm, and truncation to none or roll_off");
    return given[0];
  }

  /// One number stands for all three axes.
  static Vector3 three(const std::vector<double>& v, const char* name) {
    if (v.size() == 1) return {v[0], v[0], v[0]};
    if (v.size() != 3)
      throw Failure(ErrorCode::invalid_argument,
                    std::string(name) + " has " + std::to_string(v.size()) + " numbers, and one or three are needed",
                    "give one number, or x, y, z");
    return {v[0], v[1], v[2]};
  }

  static void require_kernels(const PlanContext& plan) {
    plan.require_kernel<FdkBackProject>();
    plan.require_kernel<FilteredCheck>();
    plan.require_kernel("recon/fdk_back_project_columns", sizeof(FdkBackProject));
  }

  void describe(PayloadRef output, const PayloadRef& input, int phases) const {
    const VoxelGrid& g = engine_->plan().grid;
    output.set_tensor("voxels", phases > 1 ? tensor(DType::float32, "tzyx", {phases, g.nz, g.ny, g.nx})
                                           : tensor(DType::float32, "zyx", {g.nz, g.ny, g.nx}));
    Geometry geometry(g.spacing_mm, g.origin_mm);
    if (phases > 1) {
      const std::span<const double> period = input.numbers("acquisition.period_s");
      geometry.time_step_s = (period.empty() ? 1.0 : period[0]) / phases;
    }
    output.set_geometry(geometry);
    if (cut_.is_cut()) set_slabs(output, cut_.slabs);
    output.set_text("unit", params.unit == AttenuationUnit::hu ? "HU" : "1/mm");
  }

  static std::string number(double v) {
    char text[32];
    std::snprintf(text, sizeof text, "%.5g", v);
    return text;
  }

  static void state_facts(PlanContext& plan, const FdkPlan& p, int views_per_pass) {
    const std::string arc = number(p.arc.length_rad * 180.0 / std::numbers::pi) + " deg";
    plan.fact("fdk.scan", p.displaced  ? "full circle, displaced detector (Wang's weights)"
                          : p.arc.full ? "full circle"
                                       : "short scan of " + arc + " (Parker's weights)");
    plan.fact("fdk.field_of_view_mm", "radius " + number(p.field_of_view_mm));
    if (p.extension.columns == 0) warn_of_unseen_side(plan, p.field_of_view_mm, p.longer_side_mm);
    plan.fact("fdk.detector", p.rectification.empty() ? "as it is" : "each view resampled onto an aligned one");
    plan.fact("fdk.back_projection",
              p.aligned ? std::string("detector columns along ") + "xyz"[p.column_axis] : "any orientation");
    plan.fact("fdk.filter_length", std::to_string(p.length));
    plan.fact("fdk.views_per_pass", std::to_string(views_per_pass));
  }

  void upload_tables(PlanContext& plan, const FdkRequest& request, const FdkPlan& whole) {
    const FdkPlan& p = engine_->plan();
    FdkTables& t = tables_;
    const FdkSlabTables slabs = cut_.is_cut() ? fdk_slab_tables(request, whole, cut_.slabs.first, rows_)
                                              : FdkSlabTables{p.matrices, p.weights, p.rectification};
    t.order = plan.upload(std::span(p.order), "order of the views");
    t.weights = plan.upload(std::span(slabs.weights), "weights of the views");
    t.matrices = plan.upload(std::span(slabs.matrices), "projection matrices");
    if (!slabs.rectification.empty())
      t.rectification = plan.upload(std::span(slabs.rectification), "resampling of the views");
    if (!p.redundancy.empty()) t.redundancy = plan.upload(std::span(p.redundancy), "weights of the rays");
    if (!plan.on_cpu()) t.note = plan.allocate<std::int64_t>(1, "the first view that cannot be filtered");
    if (on_host_) {
      std::vector<std::int64_t> places(static_cast<std::size_t>(engine_->views_per_pass()));
      std::iota(places.begin(), places.end(), 0);
      t.places = plan.upload(std::span<const std::int64_t>(places), "places of the views");
    }
    engine_->upload(plan);
    engine_->use(t);
  }

  std::optional<FdkEngine> engine_;
  FdkTables tables_;
  SlabCut cut_;
  FdkSlabRows rows_;  ///< of the slabs
  Geometry whole_;    ///< of the volume that slabs are cut from
  std::string fix_;   ///< for what try_engine refused
  std::vector<double> planned_views_;
  ViewBlocks blocks_;
  bool on_host_ = false;  ///< the projections, of a reconstruction on a device
  void* waiting_ = nullptr;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(fdk_reconstruction, FdkReconstructionOperator)
