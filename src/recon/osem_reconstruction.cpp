#include <isocenter/recon/osem_reconstruction.hpp>

#include "core/builtin.hpp"
#include "recon/iterative_problem.hpp"

namespace isocenter::detail {

class OsemReconstructionOperator : public OperatorBase<OsemReconstruction> {
 public:
  void plan(PlanContext& plan) override {
    const int subsets = static_cast<int>(params.subsets), iterations = static_cast<int>(params.iterations);
    IterativeSetup setup = emission() ? IterativeSetup{"osem_reconstruction", "counts/mm", 0, subsets, iterations,
                                                       params.stop_at_change, true}
                                      : attenuation_setup(plan.input("input"), params, "osem_reconstruction", subsets);
    setup.back_projector = params.back_projector;
    const Acquisition scan = check_acquisition(plan, "input", {.least_views = 1, .method = setup.method});
    problem_.plan(plan, setup, grid_for(scan, params), scan, 3, emission() ? 1 : 2);
  }

  void run(const RunContext& run) override {
    IterativeProblem& p = problem_;
    p.begin(run);
    float *x = p.volume(0), *update = p.volume(1), *per_voxel = p.volume(2), *difference = p.stack(0);
    if (!emission()) weigh_rays(update);
    if (p.subsets() == 1) weigh_voxels(0, per_voxel);
    p.take_start(x, emission() ? 1.0F : 0.0F);
    p.sum(p.measured(), p.measured(), p.stack_floats(), scalar_measured);
    do {
      for (int s = 0; s < p.subsets() && !(s > 0 && p.cancelled()); ++s) {
        const std::int64_t n = p.floats(s);
        const float* measured = p.measured() + p.offset(s);
        p.forward(s, x, p.projected());
        launch_flat(p.launcher(), PointwiseKernel{difference, measured, p.projected(), Pointwise::subtract}, n);
        p.sum(difference, difference, n, scalar_residual, s > 0);
        const Pointwise compared = emission() ? Pointwise::emission_ratio : Pointwise::transmission_excess;
        launch_flat(p.launcher(), PointwiseKernel{p.projected(), measured, p.projected(), compared, least_count}, n);
        p.back(s, p.projected(), update);
        if (p.subsets() > 1) weigh_voxels(s, per_voxel);
        if (emission()) {
          launch_flat(p.launcher(), PointwiseKernel{update, update, per_voxel, Pointwise::multiply}, p.volume_floats());
          launch_flat(p.launcher(), PointwiseKernel{x, x, update, Pointwise::multiply}, p.volume_floats());
        } else {
          StepKernel kernel{x, update, per_voxel, p.mask()};
          kernel.positive = true;
          launch_flat(p.launcher(), kernel, p.volume_floats());
        }
      }
    } while (p.go_on(p.scalar(scalar_residual), p.scalar(scalar_measured)));
    p.end(x);
  }

 private:
  static constexpr int scalar_measured = 0, scalar_residual = 1;
  static constexpr float least_count = 1e-8F;  ///< expected counts below it are taken as this many

  bool emission() const { return params.data == EmData::emission; }

  /// Transmission: A 1 · e^-b, by which the curvature is back-projected.
  void weigh_rays(float* ones) const {
    const IterativeProblem& p = problem_;
    float* weights = p.stack(1);
    p.one_volume(ones);
    for (int s = 0; s < p.subsets(); ++s) p.forward(s, ones, weights + p.offset(s));
    launch_flat(p.launcher(), PointwiseKernel{weights, weights, p.measured(), Pointwise::counts_weighted},
                p.stack_floats());
  }
  /// One over A_s' 1, or over A_s' of the curvatures.
  void weigh_voxels(int subset, float* per_voxel) const {
    const IterativeProblem& p = problem_;
    if (emission()) {
      p.one_stack(subset, p.projected());
      p.back(subset, p.projected(), per_voxel);
    } else {
      p.back(subset, p.stack(1) + p.offset(subset), per_voxel);
    }
    launch_flat(p.launcher(), PointwiseKernel{per_voxel, per_voxel, per_voxel, Pointwise::inverse, 1e-12F},
                p.volume_floats());
  }

  IterativeProblem problem_;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(osem_reconstruction, OsemReconstructionOperator)
