#include <algorithm>
#include <cmath>
#include <isocenter/recon/tv_reconstruction.hpp>

#include "core/builtin.hpp"
#include "recon/iterative_problem.hpp"

namespace isocenter::detail {

class TvReconstructionOperator : public OperatorBase<TvReconstruction> {
 public:
  void plan(PlanContext& plan) override {
    IterativeSetup setup = attenuation_setup(plan.input("input"), params, "tv_reconstruction", 1);
    setup.voxels_touch = true;
    const Acquisition scan = check_acquisition(plan, "input", {.least_views = 1, .method = setup.method});
    const int volumes = plan.has_input("prior") ? 10 : 6;
    problem_.plan(plan, setup, grid_for(scan, params), scan, {volumes, 0, 0, 1, false}, {volumes, 0, 0, 0, false});
  }

  void run(const RunContext& run) override {
    IterativeProblem& p = problem_;
    const std::int64_t voxels = p.volume_floats();
    p.begin(run);
    float *last = p.volume(0), *x = p.volume(1), *fresh = p.volume(2);
    start_proximal_map();
    bound_eigenvalues(x, fresh);
    p.take_start(last, 0.0F);
    p.take_start(x, 0.0F);
    p.sum_measured(scalar_measured);
    double t = 1.0;
    do {
      take_gradient(x, fresh);
      if (p.is_left()) break;
      launch_flat(p.launcher(), StepKernel{x, fresh, nullptr, nullptr, 1.0F, nullptr, p.scalar(scalar_bound)}, voxels);
      proximal_map(x, fresh);
      const double t_next = 0.5 * (1.0 + std::sqrt(1.0 + 4.0 * t * t));
      launch_flat(p.launcher(), MomentumKernel{x, last, fresh, static_cast<float>((t - 1.0) / t_next)}, voxels);
      t = t_next;
    } while (p.go_on(p.scalar(scalar_residual), p.scalar(scalar_measured)));
    p.end(last);
  }

 private:
  static constexpr int scalar_measured = 0, scalar_residual = 1, scalar_bound = 2;

  /// gradient = A'(b - A x).
  void take_gradient(const float* x, float* gradient) const {
    const IterativeProblem& p = problem_;
    for (int g = 0; g < p.groups(p.all()); ++g) {
      const Places group = p.group(p.all(), g);
      float* rays = p.projected(group);
      p.forward(group, x, rays);
      launch_flat(p.launcher(), PointwiseKernel{rays, p.measured(group), rays, Pointwise::subtract}, p.floats(group));
      p.sum(rays, rays, p.floats(group), scalar_residual, g > 0);
      p.back(group, rays, gradient, g > 0);
    }
  }

  /// The largest element of A'A 1.
  void bound_eigenvalues(float* a, float* b) const {
    const IterativeProblem& p = problem_;
    p.one_volume(a);
    for (int g = 0; g < p.groups(p.all()); ++g) {
      const Places group = p.group(p.all(), g);
      p.forward(group, a, p.projected(group));
      p.back(group, p.projected(group), b, g > 0);
    }
    p.largest_voxel(b, scalar_bound);
  }

  void start_proximal_map() {
    const IterativeProblem& p = problem_;
    grid_ = p.touching();
    has_prior_ = p.has("prior");
    fill(p.launcher(), p.volume(3), 3 * grid_.component, 0.0F);
    if (!has_prior_) return;
    fill(p.launcher(), p.volume(6), 3 * grid_.component, 0.0F);
    p.take("prior", p.volume(9));
    p.take_slice_behind(p.volume(9));
  }

  /// u = the proximal map of z.
  void proximal_map(const float* z, float* u) const {
    const IterativeProblem& p = problem_;
    const auto weight = static_cast<float>(params.weight_per_mm);
    const float share = has_prior_ ? static_cast<float>(params.prior_share) : 0.0F;
    TvPrimal primal{
        grid_, z, {nullptr, nullptr}, {weight * (1.0F - share), weight * share}, p.mask(), params.positivity, u};
    if (primal.weight[0] > 0.0F) primal.field[0] = p.volume(3);
    if (primal.weight[1] > 0.0F) primal.field[1] = p.volume(6);
    const auto launch_primal = [&] {
      for (int f = 0; f < 2; ++f)
        if (primal.field[f] != nullptr) p.take_slice_before(p.volume(f == 1 ? 6 : 3) + 2 * grid_.component);
      launch(p.launcher(), primal, grid_.n[0], grid_.n[1], grid_.n[2]);
    };
    launch_primal();
    if (weight == 0.0F) return;
    // The gradient of the dual is Lipschitz with at most 12 (4 for each axis) times the weights' squares.
    const float squares = primal.weight[0] * primal.weight[0] + primal.weight[1] * primal.weight[1];
    for (std::int64_t i = 0; i < params.inner; ++i) {
      p.take_slice_behind(u);
      for (int f = 0; f < 2; ++f) {
        if (primal.field[f] == nullptr) continue;
        const TvDual dual{grid_, u, f == 1 ? p.volume(9) : nullptr, p.volume(f == 1 ? 6 : 3),
                          primal.weight[f] / (12.0F * squares)};
        launch(p.launcher(), dual, grid_.n[0], grid_.n[1], grid_.n[2]);
      }
      launch_primal();
    }
  }

  IterativeProblem problem_;
  TvGrid grid_{};
  bool has_prior_ = false;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(tv_reconstruction, TvReconstructionOperator)
