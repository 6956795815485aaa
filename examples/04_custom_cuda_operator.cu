// The operator of example 03 with a CUDA kernel of its own. Isocenter hands over device memory and a stream; whatever
// is enqueued there runs in order with the copies and kernels of the other nodes.
#include <isocenter/isocenter.hpp>
#include <isocenter/operator.hpp>

namespace ic = isocenter;

__global__ void calibrate_water(const float* measured, float* corrected, std::int64_t count, float c) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < count) corrected[i] = measured[i] + c * measured[i] * measured[i];
}

struct WaterCalibration {
  static constexpr const char* name = "water_calibration_cuda";
  static constexpr const char* module = "acme";
  static constexpr const char* summary = "Undoes the beam hardening of water in line integrals, on CUDA.";
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
    if (std::string(plan.device().type) != "cuda")
      throw ic::Failure(ic::ErrorCode::unsupported, "water_calibration_cuda runs on CUDA only",
                        "give the node device 'cuda:0'; example 03 is this operator on the CPU");
  }
  void run(const ic::RunContext& run) override {
    const ic::TensorView measured = run.input("measured").tensor("views");
    const ic::TensorView corrected = run.output("corrected").tensor("views");
    const auto blocks = static_cast<unsigned>((measured.count() + 255) / 256);
    calibrate_water<<<blocks, 256, 0, static_cast<cudaStream_t>(run.stream())>>>(
        measured.as<float>(), corrected.as<float>(), measured.count(), static_cast<float>(params.quadratic));
    if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess)
      throw ic::Failure(ic::ErrorCode::device_lost, std::string("the launch failed: ") + cudaGetErrorString(error),
                        "check that the program was compiled for this GPU's architecture");
  }
};

int main() try {
  const ic::Context context;
  try {
    context.find_device("cuda:0");
  } catch (const ic::Error& e) {
    std::printf("not run, there is no GPU: %s\n", e.what());
    return 77;  // for ctest: skipped
  }
  ic::register_operator<WaterCalibrationOperator>(context.get());

  auto measured = ic::Projections::describe(1, 64, 64);
  context.allocate(measured);
  for (float& m : measured.views().span<float>()) m = 2.5F;  // 4.0 through water, seen as 2.5

  ic::Pipeline pipeline(context);
  const auto detector = pipeline.add_input("detector", measured);
  const auto calibrate = pipeline.add<WaterCalibration>("calibrate", {.quadratic = 0.24});
  pipeline.connect(detector, calibrate.measured);
  pipeline.add_output("line_integrals", calibrate.corrected);
  ic::Session session = pipeline.prepare({.device = "cuda:0"});
  session.start();
  session.push("detector", measured);
  const ic::Payload corrected = context.copy_to(*session.pull("line_integrals"), "cpu");
  std::printf("a line integral of 4.000, measured as 2.500, is %.3f again\n",
              static_cast<double>(*corrected.tensor("views").as<float>()));
  return 0;
} catch (const ic::Error& e) {
  std::fprintf(stderr, "04_custom_cuda_operator: %s\n", e.what());
  return 1;
}
