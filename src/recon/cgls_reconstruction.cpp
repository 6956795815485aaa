#include <isocenter/recon/cgls_reconstruction.hpp>

#include "core/builtin.hpp"
#include "recon/iterative_problem.hpp"

namespace isocenter::detail {

class CglsReconstructionOperator : public OperatorBase<CglsReconstruction> {
 public:
  void plan(PlanContext& plan) override {
    const IterativeSetup setup = attenuation_setup(plan.input("input"), params, "cgls_reconstruction", 1);
    const Acquisition scan = check_acquisition(plan, "input", {.least_views = 1, .method = setup.method});
    problem_.plan(plan, setup, grid_for(scan, params), scan, 3, 1);
  }

  void run(const RunContext& run) override {
    IterativeProblem& p = problem_;
    const std::int64_t voxels = p.volume_floats(), rays = p.stack_floats();
    p.begin(run);
    float *x = p.volume(0), *gradient = p.volume(1), *direction = p.volume(2);
    float *residual = p.stack(0), *projected = p.projected();
    p.take_start(x, 0.0F);
    p.sum(p.measured(), p.measured(), rays, scalar_measured);
    p.forward(0, x, projected);
    launch_flat(p.launcher(), PointwiseKernel{residual, p.measured(), projected, Pointwise::subtract}, rays);
    // ‖A'r‖² of this iteration and of the last one take turns.
    int now = scalar_gradient, next = scalar_gradient + 1;
    back_project(residual, gradient, now);
    fill(p.launcher(), direction, voxels, 0.0F);
    launch_flat(p.launcher(), StepKernel{direction, gradient, nullptr, nullptr}, voxels);
    do {
      p.forward(0, direction, projected);
      p.sum(projected, projected, rays, scalar_projected);
      launch_flat(p.launcher(),
                  StepKernel{x, direction, nullptr, nullptr, 1.0F, p.scalar(now), p.scalar(scalar_projected)}, voxels);
      launch_flat(p.launcher(),
                  StepKernel{residual, projected, nullptr, nullptr, -1.0F, p.scalar(now), p.scalar(scalar_projected)},
                  rays);
      p.sum(residual, residual, rays, scalar_residual);
      back_project(residual, gradient, next);
      launch_flat(p.launcher(), ConjugateKernel{direction, gradient, p.scalar(next), p.scalar(now)}, voxels);
      std::swap(now, next);
    } while (p.go_on(p.scalar(scalar_residual), p.scalar(scalar_measured)));
    p.end(x);
  }

 private:
  static constexpr int scalar_measured = 0, scalar_residual = 1, scalar_projected = 2, scalar_gradient = 3;

  /// gradient = A' residual within the mask, and its squared norm.
  void back_project(const float* residual, float* gradient, int scalar) const {
    const IterativeProblem& p = problem_;
    p.back(0, residual, gradient);
    if (p.mask() != nullptr)
      launch_flat(p.launcher(), PointwiseKernel{gradient, gradient, p.mask(), Pointwise::multiply}, p.volume_floats());
    p.sum_voxels(gradient, scalar);
  }

  IterativeProblem problem_;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(cgls_reconstruction, CglsReconstructionOperator)
