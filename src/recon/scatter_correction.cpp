#include "recon/scatter_correction.hpp"

#include <algorithm>
#include <cmath>
#include <isocenter/recon/acquisition.hpp>
#include <isocenter/recon/scatter_correction.hpp>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "recon/correction_input.hpp"

namespace isocenter::detail {

class ScatterCorrectionOperator : public OperatorBase<ScatterCorrection> {
 public:
  void plan(PlanContext& plan) override {
    const PayloadRef input = plan.input("input");
    shape_ = projection_shape(input, "input");
    check_line_integrals(input, "input");
    on_cpu_ = plan.on_cpu();
    plan.output("output").like(input, "views");
    const std::span<const View> views = views_of(input);
    if (views.empty())
      throw Failure(ErrorCode::bad_data, "the projections have no attribute acquisition.views",
                    "set one View for each projection (isocenter/recon/acquisition.hpp)");
    make_axis(plan, step_mm(views.front().u_step_mm), shape_.columns, "column", &grid_.step_u, &grid_.cells_u, &u_);
    make_axis(plan, step_mm(views.front().v_step_mm), shape_.rows, "row", &grid_.step_v, &grid_.cells_v, &v_);
    grid_.columns = shape_.columns;
    grid_.rows = shape_.rows;
    ScratchRooms rooms;
    for (std::uint64_t& at : room_) at = rooms.add(cells() * sizeof(float));
    mean_ = rooms.add(static_cast<std::uint64_t>(shape_.views) * sizeof(float));
    plan.scratch(rooms.bytes());
    plan.fact("scatter_correction.grid", std::to_string(grid_.cells_u) + " x " + std::to_string(grid_.cells_v));
    require_kernels(plan);
    if (!on_cpu_) plan.host_scratch(2 * host_room());
    plan.metric("scatter_to_primary", "1", 1);
    plan.metric("clamped_percent", "%", 1);
  }

  void run(const RunContext& run) override {
    const Launcher launcher = launcher_of(run);
    const auto* in = run.input("input").tensor("views").as<const float>();
    float* measured = ScratchRooms::at<float>(run, room_[0]);
    float* source = ScratchRooms::at<float>(run, room_[1]);
    float* between = ScratchRooms::at<float>(run, room_[2]);
    float* scatter = ScratchRooms::at<float>(run, room_[3]);
    float* mean = ScratchRooms::at<float>(run, mean_);
    const int nu = grid_.cells_u, nv = grid_.cells_v, n = shape_.views;
    const auto least = static_cast<float>(params.least_primary);
    launch(launcher, ScatterCoarsen{in, measured, grid_}, nu, nv, n);
    for (int i = 0; i < params.iterations; ++i) {
      run.check_cancelled();
      launch(launcher,
             ScatterSource{measured, i > 0 ? scatter : nullptr, source, grid_, least,
                           params.source == ScatterSourceKind::thickness},
             nu, nv, n);
      launch(launcher, ScatterBlur{source, between, u_.weights, grid_, u_.radius, true}, nu, nv, n);
      launch(launcher, ScatterBlur{between, scatter, v_.weights, grid_, v_.radius, false}, nu, nv, n);
      launch(launcher, ScatterMean{source, mean, grid_}, n, 1, 1);
      launch(launcher,
             ScatterCombine{scatter, mean, grid_, static_cast<float>(params.amplitude),
                            static_cast<float>(params.uniform_share)},
             nu, nv, n);
    }
    const float* read[2] = {for_host(run, on_cpu_, measured, cells(), 0),
                            for_host(run, on_cpu_, scatter, cells(), host_room())};
    run.wait();
    report(run, read[0], read[1]);
    launch(launcher, ScatterSubtract{in, scatter, run.output("output").tensor("views").as<float>(), grid_, least},
           shape_.columns, shape_.rows, n);
  }

 private:
  struct Axis {
    const float* weights = nullptr;
    int radius = 0;
  };

  std::uint64_t cells() const {
    return static_cast<std::uint64_t>(grid_.cells_u) * static_cast<std::uint64_t>(grid_.cells_v) *
           static_cast<std::uint64_t>(shape_.views);
  }
  /// For a copy of the cells, in host memory.
  std::uint64_t host_room() const { return (cells() * sizeof(float) + 255) / 256 * 256; }

  static double step_mm(const Vector3& v) { return std::sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]); }

  /// Cells of a twelfth of sigma at most, and the Gaussian on them.
  void make_axis(PlanContext& plan, double step, int elements, const char* what, int* cell, int* cells,
                 Axis* axis) const {
    if (elements == 1) {
      *cell = *cells = 1;
      const float one = 1.0F;
      axis->weights = plan.upload(std::span(&one, 1), "scatter kernel");
      return;
    }
    if (!(step > 0.0) || params.sigma_mm < 0.5 * step)
      throw Failure(ErrorCode::invalid_argument,
                    "sigma_mm = " + text_of(params.sigma_mm) + " mm, and the detector's " + what + "s are " +
                        text_of(step) + " mm apart",
                    "give a kernel of at least half a detector element; scatter is centimetres wide");
    *cell = std::max(1, static_cast<int>(params.sigma_mm / (12.0 * step)));
    *cells = (elements + *cell - 1) / *cell;
    const double sigma = params.sigma_mm / (step * *cell);
    axis->radius = std::min(*cells - 1, static_cast<int>(std::ceil(4.0 * sigma)));
    // The integral of the Gaussian over each cell, so that the whole kernel's is 1.
    std::vector<float> w;
    for (int i = 0; i <= axis->radius; ++i)
      w.push_back(static_cast<float>(
          0.5 * (std::erf((i + 0.5) / (sigma * std::sqrt(2.0))) - std::erf((i - 0.5) / (sigma * std::sqrt(2.0))))));
    axis->weights = plan.upload(std::span<const float>(w), "scatter kernel");
  }

  static void require_kernels(const PlanContext& plan) {
    plan.require_kernel<ScatterCoarsen>();
    plan.require_kernel<ScatterSource>();
    plan.require_kernel<ScatterBlur>();
    plan.require_kernel<ScatterMean>();
    plan.require_kernel<ScatterCombine>();
    plan.require_kernel<ScatterSubtract>();
  }

  void report(const RunContext& run, const float* measured, const float* scatter) const {
    double ratio = 0.0, clamped = 0.0;
    for (std::uint64_t i = 0; i < cells(); ++i) {
      const double least = params.least_primary * measured[i], primary = double{measured[i]} - scatter[i];
      if (primary < least) clamped += 1.0;
      ratio += scatter[i] / std::max(primary, std::max(least, 1e-30));
    }
    run.metric("scatter_to_primary", ratio / static_cast<double>(cells()));
    run.metric("clamped_percent", 100.0 * clamped / static_cast<double>(cells()));
  }

  ProjectionShape shape_;
  ScatterGrid grid_{};
  Axis u_, v_;
  std::uint64_t room_[4] = {}, mean_ = 0;
  bool on_cpu_ = true;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(scatter_correction, ScatterCorrectionOperator)
