#include <algorithm>
#include <isocenter/recon/fdk_reconstruction.hpp>
#include <numbers>
#include <optional>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "recon/fdk_engine.hpp"

namespace isocenter::detail {

class FdkReconstructionOperator : public OperatorBase<FdkReconstruction> {
 public:
  void plan(PlanContext& plan) override {
    const PayloadRef input = plan.input("input");
    const FdkRequest request = request_for(input);
    const Launcher launcher = launcher_of(plan);
    const auto* fft = plan.on_cpu() ? nullptr : find_fft(plan, launcher);
    engine_.emplace(plan_fdk(request), fft, plan.device().index, launcher.concurrency);
    const FdkPlan& p = engine_->plan();
    if (!plan.on_cpu()) require_kernels(plan);
    const std::span<const double> geometry = input.numbers("acquisition.views");
    planned_views_.assign(geometry.begin(), geometry.end());

    describe(plan.output("output"), input, request.phases);
    plan.scratch(engine_->scratch_bytes());
    upload_tables(plan);
    state_facts(plan, p);
  }

  void run(const RunContext& run) override {
    const PayloadRef input = run.input("input");
    const std::span<const double> views = input.numbers("acquisition.views");
    if (!std::equal(views.begin(), views.end(), planned_views_.begin(), planned_views_.end()))
      throw Failure(ErrorCode::bad_data,
                    "this item's acquisition.views differ from those that the session was planned with",
                    "prepare a session for each acquisition geometry");
    engine_->run(
        launcher_of(run), input.tensor("views").as<float>(), run.output("output").tensor("voxels").as<float>(),
        params.unit == CtUnit::hu ? -1000.0F : 0.0F, run.scratch(),
        [](void* user, double done) {
          const auto& context = *static_cast<const RunContext*>(user);
          context.check_cancelled();
          context.progress(done);
        },
        const_cast<void*>(static_cast<const void*>(&run)));
  }

 private:
  FdkRequest request_for(const PayloadRef& input) const {
    const TensorView tensor = input.tensor("views");
    FdkRequest r;
    r.views = views_of(input);
    r.beam = beam_of(input);
    r.columns = static_cast<int>(tensor.extent('u'));
    r.rows = static_cast<int>(tensor.extent('v'));
    if (r.views.empty())
      throw Failure(ErrorCode::bad_data, "the projections have no attribute acquisition.views",
                    "set one View for each projection (isocenter/recon/acquisition.hpp)");
    if (static_cast<std::int64_t>(r.views.size()) != tensor.extent('n'))
      throw Failure(ErrorCode::bad_data,
                    "there are " + std::to_string(tensor.extent('n')) + " projections and " +
                        std::to_string(r.views.size()) + " views in acquisition.views",
                    "give one View for each projection");
    if (tensor.type() != DType::float32)
      throw Failure(ErrorCode::bad_data, "the projections are not float32",
                    "convert them to line integrals in float32");
    const std::span<const double> phases = input.numbers("acquisition.phases");
    r.phases = phases.empty() ? 1 : static_cast<int>(phases[0]);
    r.nx = params.nx;
    r.ny = params.ny;
    r.nz = params.nz;
    r.spacing_mm = three(params.spacing_mm, "spacing_mm");
    r.offset_mm = three(params.offset_mm, "offset_mm");
    r.window = static_cast<RampWindow>(params.window);
    r.cutoff = params.cutoff;
    r.scale = params.unit == CtUnit::hu ? 1000.0 / mu_water(input) : 1.0;
    r.truncation = static_cast<FdkTruncation>(params.truncation);
    r.extension_mm = params.extension_mm;
    if (r.truncation == FdkTruncation::water_cylinder) r.mu_water_per_mm = mu_water(input);
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

  static const FftService* find_fft(const PlanContext& plan, const Launcher& launcher) {
    const auto* fft = static_cast<const FftService*>(launcher.find(launcher.device, FftService::name));
    if (fft == nullptr || fft->struct_size < sizeof(FftService))
      throw Failure(ErrorCode::unsupported,
                    std::string("device '") + plan.device().name + "' has no Fourier transform (service \"fft\")",
                    "run this node on \"cpu\", or install the device module that belongs to this library");
    return fft;
  }

  static void require_kernels(const PlanContext& plan) {
    plan.require_kernel<FdkBackProject>();
    plan.require_kernel<FdkWeightRows>();
    plan.require_kernel<FdkMultiplyResponse>();
    plan.require_kernel<FdkTranspose>();
    plan.require_kernel("recon/fdk_back_project_columns", sizeof(FdkBackProject));
    plan.require_kernel("recon/fdk_transpose_tuned", sizeof(FdkTranspose));
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
    output.set_text("unit", params.unit == CtUnit::hu ? "HU" : "1/mm");
  }

  static std::string number(double v) {
    char text[32];
    std::snprintf(text, sizeof text, "%.5g", v);
    return text;
  }

  static void state_facts(PlanContext& plan, const FdkPlan& p) {
    const std::string arc = number(p.arc.length_rad * 180.0 / std::numbers::pi) + " deg";
    plan.fact("fdk.scan", p.displaced  ? "full circle, displaced detector (Wang's weights)"
                          : p.arc.full ? "full circle"
                                       : "short scan of " + arc + " (Parker's weights)");
    plan.fact("fdk.field_of_view_mm", "radius " + number(p.field_of_view_mm));
    plan.fact("fdk.detector", p.rectification.empty() ? "as it is" : "each view resampled onto an aligned one");
    plan.fact("fdk.back_projection",
              p.aligned ? std::string("detector columns along ") + "xyz"[p.column_axis] : "any orientation");
    plan.fact("fdk.filter_length", std::to_string(p.length));
  }

  void upload_tables(PlanContext& plan) {
    const FdkPlan& p = engine_->plan();
    FdkTables t;
    t.order = plan.upload(std::span(p.order), "order of the views");
    t.weights = plan.upload(std::span(p.weights), "weights of the views");
    t.matrices = plan.upload(std::span(p.matrices), "projection matrices");
    if (!p.rectification.empty()) t.rectification = plan.upload(std::span(p.rectification), "resampling of the views");
    if (!p.redundancy.empty()) t.redundancy = plan.upload(std::span(p.redundancy), "weights of the rays");
    t.response = plan.upload(std::span(engine_->response()), "ramp filter");
    if (plan.on_cpu()) t.twiddles = plan.upload(std::span(engine_->twiddles()), "Fourier factors");
    engine_->use(t);
  }

  std::optional<FdkEngine> engine_;
  std::vector<double> planned_views_;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(fdk_reconstruction, FdkReconstructionOperator)
