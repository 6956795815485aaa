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
    const bool once = params.subsets == 1;  // then the weights of the voxels are the same in every step
    problem_.plan(plan, setup, grid_for(scan, params), scan, {once ? 2 : 1, once ? 1 : 2, 1, 1, false},
                  {1, 2, 0, 1, true});
  }

  void run(const RunContext& run) override {
    IterativeProblem& p = problem_;
    p.begin(run);
    float *x = p.volume(0), *step = p.slab_buffer(0), *projected = p.subset_stack(0);
    if (!p.is_lean()) weigh_rays(p.all(), p.stack(0));
    if (keeps_voxels())
      for (int k = 0; k < p.slabs(); ++k) weigh_voxels(p.subset(0), k, per_voxel(k));
    p.take_start(x, 0.0F);
    p.sum_measured(scalar_measured);
    do {
      for (int s = 0; s < p.subsets(); ++s) {
        if (s > 0 && p.cancelled()) return p.end(x);  // the residual of all subsets is not known
        const Places subset = p.subset(s);
        p.forward(subset, x, projected);
        for (int g = 0; g < p.groups(subset) && !p.is_left(); ++g) compare(p.group(subset, g), s > 0 || g > 0);
        for (int k = 0; k < p.slabs(); ++k) {
          p.back(subset, projected, k, step);
          // Where nothing is to be back-projected any more the projections' place is free.
          if (!keeps_voxels()) weigh_voxels(subset, k, per_voxel(k));
          if (p.is_left()) return p.end(x);
          p.step_slab(k);
          StepKernel kernel{x + p.slab_offset(k), step, per_voxel(k), p.mask(k), static_cast<float>(params.relaxation)};
          kernel.positive = params.positivity;
          launch_flat(p.launcher(), kernel, p.slab_floats(k));
        }
      }
    } while (p.go_on(p.scalar(scalar_residual), p.scalar(scalar_measured)));
    p.end(x);
  }

 private:
  static constexpr int scalar_measured = 0, scalar_residual = 1;

  bool keeps_voxels() const { return problem_.subsets() == 1 && !problem_.is_lean(); }
  float* per_voxel(int slab) const {
    return keeps_voxels() ? problem_.volume(1) + problem_.slab_offset(slab) : problem_.slab_buffer(1);
  }

  /// What the step back-projects of a group: R (b - A x), in the place of A x.
  void compare(const Places& group, bool goes_on) const {
    const IterativeProblem& p = problem_;
    const std::int64_t n = p.floats(group);
    float* rays = p.projected(group);
    launch_flat(p.launcher(), PointwiseKernel{rays, p.measured(group), rays, Pointwise::subtract}, n);
    p.sum(rays, rays, n, scalar_residual, goes_on);
    float* per_ray = p.is_lean() ? p.aside() : p.stack(0) + p.offset(group);
    if (p.is_lean()) weigh_rays(group, per_ray);
    launch_flat(p.launcher(), PointwiseKernel{rays, rays, per_ray, Pointwise::multiply}, n);
  }
  /// 1 / (A 1): one over the ray's length in the volume; 0 for a ray that misses it.
  void weigh_rays(const Places& places, float* per_ray) const {
    problem_.forward_ones(places, per_ray);
    launch_flat(problem_.launcher(), PointwiseKernel{per_ray, per_ray, per_ray, Pointwise::inverse, least_weight()},
                problem_.floats(places));
  }
  /// 1 / (A_s' 1).
  void weigh_voxels(const Places& subset, int slab, float* weights) const {
    problem_.back_ones(subset, slab, weights);
    launch_flat(problem_.launcher(), PointwiseKernel{weights, weights, weights, Pointwise::inverse, least_weight()},
                problem_.slab_floats(slab));
  }
  /// A thousandth of a voxel's size: a ray that touches no more of the volume, or a voxel no more of the rays, is left
  /// out.
  float least_weight() const { return static_cast<float>(1e-3 * problem_.geometry().spacing_mm[0]); }

  IterativeProblem problem_;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(os_sart_reconstruction, OsSartReconstructionOperator)
