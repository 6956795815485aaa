#include <isocenter/recon/os_sart_reconstruction.hpp>

#include "core/builtin.hpp"
#include "recon/iterative_problem.hpp"

namespace isocenter::detail {

class OsSartReconstructionOperator : public OperatorBase<OsSartReconstruction> {
 public:
  void plan(PlanContext& plan) override {
    IterativeSetup setup =
        attenuation_setup(plan.input("input"), params, "os_sart_reconstruction", static_cast<int>(params.subsets));
    setup.back_projector = params.back_projector;
    const Acquisition scan = check_acquisition(plan, "input", {.least_views = 1, .method = setup.method});
    problem_.plan(plan, setup, grid_for(scan, params), scan, 3, 1);
  }

  void run(const RunContext& run) override {
    IterativeProblem& p = problem_;
    p.begin(run);
    float *x = p.volume(0), *step = p.volume(1), *per_voxel = p.volume(2), *per_ray = p.stack(0);
    weigh_rays(step, per_ray);
    if (p.subsets() == 1) weigh_voxels(0, per_voxel);
    p.take_start(x, 0.0F);
    p.sum(p.measured(), p.measured(), p.stack_floats(), scalar_measured);
    do {
      for (int s = 0; s < p.subsets() && !(s > 0 && p.cancelled()); ++s) {
        const std::int64_t at = p.offset(s), n = p.floats(s);
        p.forward(s, x, p.projected());
        launch_flat(p.launcher(), PointwiseKernel{p.projected(), p.measured() + at, p.projected(), Pointwise::subtract},
                    n);
        p.sum(p.projected(), p.projected(), n, scalar_residual, s > 0);
        launch_flat(p.launcher(), PointwiseKernel{p.projected(), p.projected(), per_ray + at, Pointwise::multiply}, n);
        p.back(s, p.projected(), step);
        if (p.subsets() > 1) weigh_voxels(s, per_voxel);
        StepKernel kernel{x, step, per_voxel, p.mask(), static_cast<float>(params.relaxation)};
        kernel.positive = params.positivity;
        launch_flat(p.launcher(), kernel, p.volume_floats());
      }
    } while (p.go_on(p.scalar(scalar_residual), p.scalar(scalar_measured)));
    p.end(x);
  }

 private:
  static constexpr int scalar_measured = 0, scalar_residual = 1;

  /// 1 / (A 1): one over the ray's length in the volume; 0 for a ray that misses it.
  void weigh_rays(float* ones, float* per_ray) const {
    problem_.one_volume(ones);
    for (int s = 0; s < problem_.subsets(); ++s) problem_.forward(s, ones, per_ray + problem_.offset(s));
    launch_flat(problem_.launcher(), PointwiseKernel{per_ray, per_ray, per_ray, Pointwise::inverse, least_weight()},
                problem_.stack_floats());
  }
  /// 1 / (A_s' 1).
  void weigh_voxels(int subset, float* per_voxel) const {
    problem_.one_stack(subset, problem_.projected());
    problem_.back(subset, problem_.projected(), per_voxel);
    launch_flat(problem_.launcher(),
                PointwiseKernel{per_voxel, per_voxel, per_voxel, Pointwise::inverse, least_weight()},
                problem_.volume_floats());
  }
  /// A thousandth of a voxel's size: a ray that touches no more of the volume, or a voxel no more of the rays, is left
  /// out.
  float least_weight() const { return static_cast<float>(1e-3 * problem_.geometry().spacing_mm[0]); }

  IterativeProblem problem_;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(os_sart_reconstruction, OsSartReconstructionOperator)
