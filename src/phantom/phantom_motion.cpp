#include <isocenter/phantom/phantom_motion.hpp>
#include <optional>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "phantom/thorax_motion.hpp"

namespace isocenter::detail {

class PhantomMotionOperator : public OperatorBase<PhantomMotion> {
 public:
  void plan(PlanContext& plan) override {
    if (params.spacing_mm.size() != 1 && params.spacing_mm.size() != 3)
      throw Failure(
          ErrorCode::invalid_argument,
          "spacing_mm has " + std::to_string(params.spacing_mm.size()) + " numbers, and one or three are needed",
          "give one number for cubes, or x, y, z");
    if (params.centre_mm.size() != 3)
      throw Failure(ErrorCode::invalid_argument,
                    "centre_mm has " + std::to_string(params.centre_mm.size()) + " numbers, and three are needed",
                    "give x, y, z");
    const auto& s = params.spacing_mm;
    geometry_ = Geometry::centred(params.nx, params.ny, params.nz, {s[0], s[s.size() / 2], s[s.size() - 1]});
    for (std::size_t k = 0; k < 3; ++k) geometry_.origin_mm[k] += params.centre_mm[k];
    geometry_.time_step_s = params.breathing_period_s / static_cast<double>(params.frames);
    for (std::size_t k = 0; k < 3; ++k) {
      used_[k] = plan.output_used(ports[k]);
      PayloadRef output = plan.output(ports[k]);
      output.set_tensor("voxels", tensor(DType::float32, "tzyx", {params.frames, params.nz, params.ny, params.nx}));
      output.set_geometry(geometry_);
      output.set_text("unit", "mm");
    }
    ThoraxParams thorax;
    thorax.seed = static_cast<std::uint64_t>(params.seed);
    thorax.breathing_period_s = params.breathing_period_s;
    thorax.diaphragm_mm = params.diaphragm_mm;
    thorax.lesion_motion_mm = params.lesion_motion_mm;
    thorax.lesion_radius_mm = params.lesion_radius_mm;
    motion_.emplace(thorax);
    plan.items(1);
  }

  void run(const RunContext& run) override {
    if (run.sequence() > 0) throw EndOfStream{};
    float* out[3] = {};
    for (std::size_t k = 0; k < 3; ++k)
      if (used_[k]) out[k] = run.output(ports[k]).tensor("voxels").as<float>();
    const std::int64_t slices = params.frames * params.nz;
    parallel_for(launcher_of(run), slices, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t slice = begin; slice < end; ++slice) fill_slice(slice, out);
    });
  }

 private:
  static constexpr const char* ports[] = {"x", "y", "z"};

  void fill_slice(std::int64_t slice, float* const (&out)[3]) const {
    const double time = static_cast<double>(slice / params.nz) * geometry_.time_step_s;
    std::int64_t at = slice * params.ny * params.nx;
    for (std::int64_t y = 0; y < params.ny; ++y)
      for (std::int64_t x = 0; x < params.nx; ++x, ++at) {
        const Vector3 d = motion_->displacement_mm(geometry_.position_mm(static_cast<double>(x), static_cast<double>(y),
                                                                         static_cast<double>(slice % params.nz)),
                                                   time);
        for (std::size_t k = 0; k < 3; ++k)
          if (out[k] != nullptr) out[k][at] = static_cast<float>(d[k]);
      }
  }

  Geometry geometry_;
  std::optional<ThoraxMotion> motion_;
  bool used_[3] = {};
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(phantom_motion, PhantomMotionOperator)
