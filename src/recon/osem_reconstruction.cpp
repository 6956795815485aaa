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
    const bool once = subsets == 1;  // then the weights of the voxels are the same in every step
    problem_.plan(plan, setup, grid_for(scan, params), scan, {once ? 2 : 1, once ? 1 : 2, emission() ? 0 : 1, 1, true},
                  {1, 2, 0, emission() ? 1 : 2, true});
  }

  void run(const RunContext& run) override {
    IterativeProblem& p = problem_;
    p.begin(run);
    float *x = p.volume(0), *update = p.slab_buffer(0), *projected = p.subset_stack(0);
    if (!emission() && !p.is_lean()) weigh_rays(p.all(), p.stack(0));
    if (keeps_voxels())
      for (int k = 0; k < p.slabs(); ++k) weigh_voxels(p.subset(0), k, per_voxel(k));
    p.take_start(x, emission() ? 1.0F : 0.0F);
    p.sum_measured(scalar_measured);
    do {
      for (int s = 0; s < p.subsets(); ++s) {
        if (s > 0 && p.cancelled()) return p.end(x);  // the residual of all subsets is not known
        const Places subset = p.subset(s);
        if (!emission() && p.is_lean()) weigh_rays(subset, p.subset_stack(1));
        p.forward(subset, x, projected);
        for (int g = 0; g < p.groups(subset) && !p.is_left(); ++g) compare(p.group(subset, g), s > 0 || g > 0);
        for (int k = 0; k < p.slabs(); ++k) {
          p.back(subset, projected, k, update);
          if (!keeps_voxels()) weigh_voxels(subset, k, per_voxel(k));
          if (p.is_left()) return p.end(x);
          p.step_slab(k);
          take_step(x + p.slab_offset(k), update, k);
        }
      }
    } while (p.go_on(p.scalar(scalar_residual), p.scalar(scalar_measured)));
    p.end(x);
  }

 private:
  static constexpr int scalar_measured = 0, scalar_residual = 1;
  static constexpr float least_count = 1e-8F;  ///< expected counts below it are taken as this many

  bool emission() const { return params.data == EmData::emission; }
  bool keeps_voxels() const { return problem_.subsets() == 1 && !problem_.is_lean(); }
  float* per_voxel(int slab) const {
    return keeps_voxels() ? problem_.volume(1) + problem_.slab_offset(slab) : problem_.slab_buffer(1);
  }

  /// What the step back-projects of a group, in the place of A x.
  void compare(const Places& group, bool goes_on) const {
    const IterativeProblem& p = problem_;
    const std::int64_t n = p.floats(group);
    const float* measured = p.measured(group);
    float *rays = p.projected(group), *difference = p.aside();
    launch_flat(p.launcher(), PointwiseKernel{difference, measured, rays, Pointwise::subtract}, n);
    p.sum(difference, difference, n, scalar_residual, goes_on);
    const Pointwise compared = emission() ? Pointwise::emission_ratio : Pointwise::transmission_excess;
    launch_flat(p.launcher(), PointwiseKernel{rays, measured, rays, compared, least_count}, n);
  }
  void take_step(float* x, float* update, int slab) const {
    const IterativeProblem& p = problem_;
    if (emission()) {
      launch_flat(p.launcher(), PointwiseKernel{update, update, per_voxel(slab), Pointwise::multiply},
                  p.slab_floats(slab));
      launch_flat(p.launcher(), PointwiseKernel{x, x, update, Pointwise::multiply}, p.slab_floats(slab));
      return;
    }
    StepKernel kernel{x, update, per_voxel(slab), p.mask(slab)};
    kernel.positive = true;
    launch_flat(p.launcher(), kernel, p.slab_floats(slab));
  }
  /// Transmission: A 1 · e^-b, by which the curvature is back-projected.
  void weigh_rays(const Places& places, float* weights) const {
    const IterativeProblem& p = problem_;
    p.forward_ones(places, weights);
    for (int g = 0; g < p.groups(places); ++g) {
      const Places group = p.group(places, g);
      float* of_group = weights + (p.offset(group) - p.offset(places));
      launch_flat(p.launcher(), PointwiseKernel{of_group, of_group, p.measured(group), Pointwise::counts_weighted},
                  p.floats(group));
    }
  }
  /// One over A_s' 1, or over A_s' of the curvatures.
  void weigh_voxels(const Places& subset, int slab, float* weights) const {
    const IterativeProblem& p = problem_;
    if (emission())
      p.back_ones(subset, slab, weights);
    else
      p.back(subset, p.is_lean() ? p.subset_stack(1) : p.stack(0) + p.offset(subset), slab, weights);
    launch_flat(p.launcher(), PointwiseKernel{weights, weights, weights, Pointwise::inverse, 1e-12F},
                p.slab_floats(slab));
  }

  IterativeProblem problem_;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(osem_reconstruction, OsemReconstructionOperator)
