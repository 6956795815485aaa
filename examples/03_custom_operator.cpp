// An operator of your own, on the CPU: described once, then planned and run like every other.
//
// The job: water calibration of measured line integrals, p = m + c m², the second-order case of the polynomial of
// Herman, "Correction for beam hardening in computed tomography", Phys. Med. Biol. 24 (1979), section 3.
#include <isocenter/isocenter.hpp>
#include <isocenter/operator.hpp>

namespace ic = isocenter;

struct WaterCalibration {
  static constexpr const char* name = "water_calibration";
  static constexpr const char* module = "acme";
  static constexpr const char* summary = "Undoes the beam hardening of water in line integrals.";
  struct Params {
    double quadratic = 0.0;
    static constexpr auto describe() {
      return std::tuple{
          ic::param(&Params::quadratic, "quadratic", ic::Unit::none, 0.0, 1.0, "c in p = m + c m², calibrated.")};
    }
  };
  struct Ports {
    ic::In<ic::Projections> measured{"measured", "Line integrals as measured."};
    ic::Out<ic::Projections> corrected{"corrected", "Line integrals as a single energy would give them."};
    static constexpr auto describe() { return std::tuple{&Ports::measured, &Ports::corrected}; }
  };
};

class WaterCalibrationOperator final : public ic::OperatorBase<WaterCalibration> {
  void plan(ic::PlanContext& plan) override {
    plan.output("corrected").like(plan.input("measured"), "views");
    if (!plan.on_cpu())
      throw ic::Failure(ic::ErrorCode::unsupported, "water_calibration runs on the CPU only",
                        "give the node device 'cpu'; example 04 is this operator with a CUDA kernel");
  }
  void run(const ic::RunContext& run) override {
    const auto measured = run.input("measured").tensor("views").span<float>();
    const auto corrected = run.output("corrected").tensor("views").span<float>();
    const auto c = static_cast<float>(params.quadratic);
    run.parallel_for(static_cast<std::int64_t>(measured.size()), 4096, [&](std::int64_t begin, std::int64_t end) {
      for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i)
        corrected[i] = measured[i] + c * measured[i] * measured[i];
    });
  }
};

int main() try {
  const ic::Context context;
  ic::register_operator<WaterCalibrationOperator>(context.get());  // from now on also in files and `describe`

  auto measured = ic::Projections::describe(1, 64, 64);
  context.allocate(measured);
  for (float& m : measured.views().span<float>()) m = 2.5F;  // 4.0 through water, seen as 2.5

  ic::Pipeline pipeline(context);
  const auto detector = pipeline.add_input("detector", measured);
  const auto calibrate = pipeline.add<WaterCalibration>("calibrate", {.quadratic = 0.24});
  pipeline.connect(detector, calibrate.measured);
  pipeline.add_output("line_integrals", calibrate.corrected);
  ic::Session session = pipeline.prepare();
  session.start();
  session.push("detector", measured);
  const ic::Projections corrected = *session.pull("line_integrals");
  std::printf("a line integral of 4.000, measured as 2.500, is %.3f again\n", corrected.views().as<float>()[0]);
  return 0;
} catch (const ic::Error& e) {
  std::fprintf(stderr, "03_custom_operator: %s\n", e.what());
  return 1;
}
