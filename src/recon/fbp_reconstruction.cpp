#include <algorithm>
#include <cstdio>
#include <cstring>
#include <isocenter/recon/fbp_reconstruction.hpp>
#include <numbers>
#include <optional>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "recon/acquisition_check.hpp"
#include "recon/bad_reading.hpp"
#include "recon/fbp_engine.hpp"
#include "recon/memory_need.hpp"
#include "recon/reading_check.hpp"
#include "recon/slab_cut.hpp"

namespace isocenter::detail {

class FbpReconstructionOperator : public OperatorBase<FbpReconstruction> {
 public:
  void plan(PlanContext& plan) override {
    const PayloadRef input = plan.input("input");
    const FbpRequest request = request_for(plan, input);
    const FftService* fft = plan.on_cpu() ? nullptr : find_fft(plan, launcher_of(plan));
    if (!plan.on_cpu()) require_kernels(plan);
    make_engine(plan, plan_fbp(request), fft);
    const std::span<const double> geometry = input.numbers("acquisition.views");
    planned_views_.assign(geometry.begin(), geometry.end());
    describe(plan.output("output"));
    plan.scratch(engine_->scratch_bytes());
    if (cut_.count() > 1) plan.spread(cut_.count());
    upload_tables(plan);
    warn(plan, request);
    state_facts(plan);
  }

  void run(const RunContext& run) override {
    const PayloadRef input = run.input("input");
    const std::span<const double> views = input.numbers("acquisition.views");
    if (!std::equal(views.begin(), views.end(), planned_views_.begin(), planned_views_.end()))
      throw Failure(ErrorCode::bad_data,
                    "this item's acquisition.views differ from those that the session was planned with",
                    "prepare a session for each acquisition geometry");
    const auto* projections = input.tensor("views").as<const float>();
    if (note_ != nullptr) clear_note(run, note_);
    PayloadRef output = run.output("output");
    const std::int64_t first_slice = cut_.slabs.first[static_cast<std::size_t>(run.part())];
    if (cut_.is_cut()) output.set_geometry(slab_geometry(engine_->plan().grid.geometry, first_slice));
    engine_->run(
        launcher_of(run), projections, output.tensor("voxels").as<float>(),
        params.unit == AttenuationUnit::hu ? -1000.0F : 0.0F, run.scratch(),
        [](void* user, double done) {
          const auto& context = *static_cast<const RunContext*>(user);
          context.check_cancelled();
          context.progress(done);
        },
        const_cast<void*>(static_cast<const void*>(&run)), &run, static_cast<int>(first_slice));
    if (note_ != nullptr) check_readings(run, projections);
  }

 private:
  /// All slices at once, or where host memory does not hold them and nobody behind needs all of them at once in slabs.
  /// Processes have a slab each.
  void make_engine(PlanContext& plan, const FbpPlan& made, const FftService* fft) {
    const bool may_cut = params.slabs == 0 && plan.takes_slabs("output");
    cut_ = find_slab_cut(made.grid.nz, plan.communicator(), params.slabs, may_cut,
                         [&](const SlabCut& cut, std::int64_t, bool is_last) {
                           cut_ = cut;
                           return fits(plan, made, fft, is_last);
                         });
  }

  /// In passes as large as half of what the budget leaves beside the slices; on a device that does not hold these and
  /// the projections, from and to host memory. Projections that a node before this one has left on the device take
  /// their memory there anyway. Slabs leave half of the budget to the nodes behind.
  bool fits(PlanContext& plan, const FbpPlan& made, const FftService* fft, bool is_last) {
    const std::uint64_t slices = 4 * static_cast<std::uint64_t>(made.grid.nx * made.grid.ny * cut_.height);
    const bool shares = cut_.count() > 1 && !is_last;
    MemoryNeed need = try_engine(plan, made, fft, slices, shares);
    if (!left_of(plan, shares).holds(need) && !plan.on_cpu() && !on_host_) {
      on_host_ = true;
      projections_on_host_ = std::strcmp(plan.input("input").device(), plan.device().name) != 0;
      if (projections_on_host_) plan.keep_on_host("input");
      plan.keep_on_host("output");
      need = try_engine(plan, made, fft, slices, shares);
    }
    const bool holds = left_of(plan, shares).holds(need);
    if (!holds && is_last)
      refuse_memory(plan,
                    "even slice by slice, a stack of " + std::to_string(cut_.height) + " x " +
                        std::to_string(made.grid.ny) + " x " + std::to_string(made.grid.nx) + " pixels",
                    need, on_host_, "");
    return holds;
  }

  MemoryLeft left_of(const PlanContext& plan, bool shares) const {
    const auto share = [&](std::uint64_t left) { return shares && left != UINT64_MAX ? left / 2 : left; };
    const MemoryLeft left = memory_left_of(plan, on_host_);
    return {share(left.arrays), share(left.device)};
  }

  /// What it needs: slices in host memory or where it runs, and there what it works with.
  MemoryNeed try_engine(const PlanContext& plan, const FbpPlan& made, const FftService* fft, std::uint64_t slices,
                        bool shares) {
    const Launcher launcher = launcher_of(plan);
    const std::uint64_t tables = made.pixels.size() * sizeof(FbpView) + made.weights.size() * sizeof(float) +
                                 static_cast<std::uint64_t>(made.length) * 4 * sizeof(float);
    const std::uint64_t left = left_of(plan, shares).device, kept = tables + (on_host_ ? 0 : slices);
    FbpLimits limits{.on_host = on_host_, .slices = static_cast<int>(cut_.height)};
    if (left != UINT64_MAX) limits.most_bytes = left > kept ? (left - kept) / 2 : 0;
    engine_.emplace(made, fft, plan.device().index, launcher.concurrency,
                    launcher.reference_only ? nullptr : fbp_variant_of_this_processor(), limits);
    const std::uint64_t needed = kept + engine_->scratch_bytes();
    return {on_host_ ? slices : needed, needed};
  }

  /// On a device.
  void check_readings(const RunContext& run, const float* projections) const {
    const FbpPlan& p = engine_->plan();
    const std::int64_t view = read_note(run, note_);
    if (view != no_reading)
      refuse_reading_among(run, projections + view * p.rows * p.raw_columns, view, 1, p.rows, p.raw_columns);
  }

  FbpRequest request_for(PlanContext& plan, const PayloadRef& input) const {
    FbpRequest r;
    r.scan = check_acquisition(plan, "input", {.least_views = 3, .method = "filtered back projection"});
    r.stacked_fans = params.stacked_fans;
    r.nx = params.nx;
    r.ny = params.ny;
    two(params.spacing_mm, "spacing_mm", r.spacing_mm);
    two(params.offset_mm, "offset_mm", r.offset_mm);
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

  /// One number stands for both axes.
  static void two(const std::vector<double>& v, const char* name, double (&to)[2]) {
    if (v.empty() || v.size() > 2)
      throw Failure(ErrorCode::invalid_argument,
                    std::string(name) + " has " + std::to_string(v.size()) + " numbers, and one or two are needed",
                    "give one number, or x, y; the slices lie where the detector's rows are");
    to[0] = v.front();
    to[1] = v.back();
  }

  static const FftService* find_fft(const PlanContext& plan, const Launcher& launcher) {
    const auto* fft = static_cast<const FftService*>(launcher.find(launcher.device, FftService::name));
    if (fft == nullptr || fft->struct_size < sizeof(FftService))
      throw Failure(ErrorCode::unsupported,
                    std::string("device '") + plan.device().name + "' has no Fourier transform (service \"fft\")",
                    "run this node on \"cpu\", or install the device module that belongs to this library");
    return fft;
  }

  static void require_kernels(const PlanContext& plan) {
    plan.require_kernel<FbpBackProject>();
    plan.require_kernel<FbpWeightLines>();
    plan.require_kernel<FbpArrange>();
    plan.require_kernel<FdkMultiplyResponse>();
    plan.require_kernel<FilteredCheck>();
  }

  void describe(PayloadRef output) const {
    const VolumeGrid& g = engine_->plan().grid;
    output.set_tensor("voxels", tensor(DType::float32, "zyx", {cut_.height, g.ny, g.nx}));
    output.set_geometry(g.geometry);
    if (cut_.is_cut()) set_slabs(output, cut_.slabs);
    output.set_text("unit", params.unit == AttenuationUnit::hu ? "HU" : "1/mm");
  }

  static std::string number(double v) {
    char text[32];
    std::snprintf(text, sizeof text, "%.5g", v);
    return text;
  }

  /// Kak and Slaney, section 5.1.2: about as many views as rays, or the far pixels show streaks.
  void warn(PlanContext& plan, const FbpRequest& request) const {
    const auto& p = engine_->plan();
    if (4 * p.views < request.scan.columns)
      plan.warn("there are " + std::to_string(p.views) + " views of " + std::to_string(request.scan.columns) +
                    " columns: fine structures far from the rotation centre will show streaks",
                "take about as many views as columns, or use an iterative reconstruction (tv_reconstruction)");
  }

  void state_facts(PlanContext& plan) const {
    const FbpPlan& p = engine_->plan();
    plan.fact("fbp.scan", p.scan);
    plan.fact("fbp.beam", p.beam == FbpBeam::parallel   ? "parallel"
                          : p.beam == FbpBeam::flat_fan ? "fan, flat detector"
                                                        : "fan, curved detector");
    plan.fact("fbp.field_of_view_mm", "radius " + number(p.field_of_view_mm));
    if (p.extension.columns == 0) warn_of_unseen_side(plan, p.field_of_view_mm, p.longer_side_mm);
    plan.fact("fbp.back_projection", plan.on_cpu() ? engine_->method() : "reference");
    plan.fact("fbp.filter_length", std::to_string(p.length));
    plan.fact("fbp.slices_per_pass", std::to_string(engine_->slices_per_pass()));
    if (cut_.is_cut()) plan.fact("fbp.slabs", cut_.text());
    if (on_host_)
      plan.fact("fbp.projections", projections_on_host_
                                       ? "they and the slices in host memory, brought to the device pass by pass"
                                       : "on the device; the slices in host memory, brought there pass by pass");
  }

  void upload_tables(PlanContext& plan) {
    const FbpPlan& p = engine_->plan();
    FbpTables t;
    t.pixels = plan.upload(std::span(p.pixels), "pixels in the views");
    t.weights = plan.upload(std::span(p.weights), "weights of the rays");
    t.response = plan.upload(std::span(engine_->response()), "ramp filter");
    if (plan.on_cpu()) t.twiddles = plan.upload(std::span(engine_->twiddles()), "Fourier factors");
    if (!plan.on_cpu()) t.note = note_ = plan.allocate<std::int64_t>(1, "the first view that cannot be filtered");
    engine_->use(t);
  }

  std::optional<FbpEngine> engine_;
  SlabCut cut_;
  bool on_host_ = false, projections_on_host_ = false;  ///< on a device
  std::vector<double> planned_views_;
  std::int64_t* note_ = nullptr;  ///< on a device (bad_reading.hpp)
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(fbp_reconstruction, FbpReconstructionOperator)
