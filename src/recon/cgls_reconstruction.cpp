#include <isocenter/recon/cgls_reconstruction.hpp>

#include "core/builtin.hpp"
#include "recon/iterative_problem.hpp"

namespace isocenter::detail {

class CglsReconstructionOperator : public OperatorBase<CglsReconstruction> {
 public:
  void plan(PlanContext& plan) override {
    const IterativeSetup setup = attenuation_setup(plan.input("input"), params, "cgls_reconstruction", 1);
    const Acquisition scan = check_acquisition(plan, "input", {.least_views = 1, .method = setup.method});
    problem_.plan(plan, setup, grid_for(scan, params), scan, {3, 0, 1, 1, false}, {3, 0, 0, 0, false});
  }

  void run(const RunContext& run) override {
    IterativeProblem& p = problem_;
    const std::int64_t voxels = p.volume_floats();
    p.begin(run);
    float *x = p.volume(0), *gradient = p.volume(1), *direction = p.volume(2);
    p.take_start(x, 0.0F);
    p.sum_measured(scalar_measured);
    // ‖A'r‖² of this iteration and of the last one take turns.
    int now = scalar_gradient, next = scalar_gradient + 1;
    take_residual(x, gradient, now);
    fill(p.launcher(), direction, voxels, 0.0F);
    launch_flat(p.launcher(), StepKernel{direction, gradient, nullptr, nullptr}, voxels);
    do {
      project(direction);
      if (p.is_left()) break;
      launch_flat(p.launcher(),
                  StepKernel{x, direction, nullptr, nullptr, 1.0F, p.scalar(now), p.scalar(scalar_projected)}, voxels);
      if (p.is_lean())
        take_residual(x, gradient, next);
      else
        step_residual(gradient, now, next);
      if (p.is_left()) break;  // x has taken the step; its residual is not known
      launch_flat(p.launcher(), ConjugateKernel{direction, gradient, p.scalar(next), p.scalar(now)}, voxels);
      std::swap(now, next);
    } while (p.go_on(p.scalar(scalar_residual), p.scalar(scalar_measured)));
    p.end(x);
  }

 private:
  static constexpr int scalar_measured = 0, scalar_residual = 1, scalar_projected = 2, scalar_gradient = 3;

  /// ‖A direction‖²; where residuals are kept, A direction too.
  void project(const float* direction) const {
    const IterativeProblem& p = problem_;
    for (int g = 0; g < p.groups(p.all()); ++g) {
      const Places group = p.group(p.all(), g);
      float* projected = p.projected(group);
      p.forward(group, direction, projected);
      p.sum(projected, projected, p.floats(group), scalar_projected, g > 0);
    }
  }

  /// r = b - A x and its gradient, from the beginning.
  void take_residual(const float* x, float* gradient, int scalar) const {
    const IterativeProblem& p = problem_;
    for (int g = 0; g < p.groups(p.all()); ++g) {
      const Places group = p.group(p.all(), g);
      float* projected = p.projected(group);
      float* residual = p.is_lean() ? projected : p.stack(0) + p.offset(group);
      p.forward(group, x, projected);
      launch_flat(p.launcher(), PointwiseKernel{residual, p.measured(group), projected, Pointwise::subtract},
                  p.floats(group));
      p.sum(residual, residual, p.floats(group), scalar_residual, g > 0);
      p.back(group, residual, gradient, g > 0);
    }
    finish_gradient(gradient, scalar);
  }

  /// The same from the last residual and A direction.
  void step_residual(float* gradient, int now, int next) const {
    const IterativeProblem& p = problem_;
    float *residual = p.stack(0), *projected = p.subset_stack(0);
    launch_flat(p.launcher(),
                StepKernel{residual, projected, nullptr, nullptr, -1.0F, p.scalar(now), p.scalar(scalar_projected)},
                p.stack_floats());
    p.sum(residual, residual, p.stack_floats(), scalar_residual);
    p.back(p.all(), residual, gradient);
    finish_gradient(gradient, next);
  }

  /// gradient = A'r within the mask, and its squared norm.
  void finish_gradient(float* gradient, int scalar) const {
    problem_.apply_mask(gradient);
    problem_.sum_voxels(gradient, scalar);
  }

  IterativeProblem problem_;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(cgls_reconstruction, CglsReconstructionOperator)
