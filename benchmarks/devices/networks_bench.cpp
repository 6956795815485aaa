// Networks from host memory to host memory: batches of inputs are copied to the device while the one before them is
// computed. On each device of the machine; the CPU has its data there. Each figure stands beside the result's distance
// from the CPU's in float32.
//   networks_bench [--small] [FILE]      writes JSON to FILE (networks_bench.json); --small: sizes for a rehearsal
#include <cuda_runtime_api.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <isocenter/isocenter.hpp>
#include <isocenter/operator.hpp>

#include "core/launcher.hpp"
#include "device_test.hpp"
#include "infer/cuda_engine.hpp"
#include "infer/executor.hpp"
#include "infer/lower.hpp"
#include "infer/threads.hpp"
#include "network_definitions.hpp"

namespace isocenter::benchmarks {
namespace {

using Clock = std::chrono::steady_clock;

struct Case {
  std::string name;
  std::function<infer::OnnxModel(std::int64_t batch)> model;
  std::int64_t batch = 1, runs = 1;
  NetworkPrecision precision = NetworkPrecision::float32;
};
struct Figures {
  double plan_s = 0, run_s = 0, error = 0;
  std::string engine, computed_in;
};

/// What the operator below works on: one measurement at a time.
struct Job {
  Case what;
  std::vector<float> input, expected;  ///< of the whole batch; of its first item
  Figures figures;
} job;

double relative_error(const float* got, const std::vector<float>& expected) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += std::pow(static_cast<double>(got[i]) - static_cast<double>(expected[i]), 2);
    norm += std::pow(static_cast<double>(expected[i]), 2);
  }
  return std::sqrt(difference / norm);
}

struct NetworkBench {
  static constexpr const char* name = "network_bench";
  static constexpr const char* module = "bench";
  static constexpr const char* summary = "Measures the network of the job on the node's device.";
  struct Params {
    static constexpr auto describe() { return std::tuple{}; }
  };
  struct Ports {
    In<Volume> input{"input", "Starts it."};
    Out<Volume> output{"output", "Says that it is done."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::output}; }
  };
};

class NetworkBenchOperator final : public OperatorBase<NetworkBench> {
  void plan(PlanContext& plan) override {
    plan.output("output").like(plan.input("input"), "voxels");
    const auto begin = Clock::now();
    infer::Graph graph = infer::lower(job.what.model(job.what.batch), {});
    if (plan.on_cpu())
      executor_ = infer::plan_cpu(std::move(graph), {.precision = job.what.precision});
    else
      executor_ = infer::plan_on_cuda(std::move(graph), job.what.precision, detail::launcher_of(plan), plan, nullptr,
                                      ISOCENTER_MODULE_DIR "/engines");
    job.figures.plan_s = std::chrono::duration<double>(Clock::now() - begin).count();
    job.figures.engine = executor_->summary().engine;
    job.figures.computed_in = executor_->summary().precision;
    const infer::Port &in = executor_->inputs()[0], &out = executor_->outputs()[0];
    in_bytes_ = static_cast<std::size_t>(infer::element_count(in.shape)) * sizeof(float);
    out_bytes_ = static_cast<std::size_t>(infer::element_count(out.shape)) * sizeof(float);
    arena_bytes_ = static_cast<std::size_t>(executor_->summary().arena_bytes);
    plan.scratch(padded(arena_bytes_) + (plan.on_cpu() ? 0 : 2 * padded(in_bytes_)));
  }
  void run(const RunContext& run) override {
    executor_->bind(run.scratch<std::byte>());
    if (detail::launcher_of(run).on_cpu())
      run_on_cpu(run.scratch<std::byte>());
    else
      run_on_device(run);
  }

  static std::size_t padded(std::size_t bytes) { return (bytes + 255) / 256 * 256; }

  void run_on_cpu(std::byte* arena) {
    const auto once = [&] {
      std::memcpy(arena + executor_->inputs()[0].offset, job.input.data(), in_bytes_);
      executor_->run(nullptr);
    };
    once();
    job.figures.error =
        relative_error(reinterpret_cast<const float*>(arena + executor_->outputs()[0].offset), job.expected);
    const auto begin = Clock::now();
    for (std::int64_t i = 0; i < job.what.runs; ++i) once();
    job.figures.run_s = std::chrono::duration<double>(Clock::now() - begin).count();
  }

  void run_on_device(const RunContext& run);

  std::unique_ptr<infer::Executor> executor_;
  std::size_t in_bytes_ = 0, out_bytes_ = 0, arena_bytes_ = 0;
};

void require(cudaError_t e, const char* what) {
  if (e != cudaSuccess)
    throw Failure(ErrorCode::device_lost, std::string(what) + " failed: " + cudaGetErrorString(e),
                  "look at the driver's log");
}

/// Host memory that is copied from and to without the processor, and the events of two batches under way.
class TwoBatches {
 public:
  TwoBatches(std::size_t in_bytes, std::size_t out_bytes) {
    require(cudaStreamCreateWithFlags(&copies, cudaStreamNonBlocking), "making a stream");
    for (int i = 0; i < 2; ++i) {
      require(cudaMallocHost(reinterpret_cast<void**>(&in[i]), in_bytes), "taking host memory");
      require(cudaMallocHost(reinterpret_cast<void**>(&out[i]), out_bytes), "taking host memory");
      require(cudaEventCreateWithFlags(&copied[i], cudaEventDisableTiming), "making an event");
      require(cudaEventCreateWithFlags(&consumed[i], cudaEventDisableTiming), "making an event");
    }
  }
  TwoBatches(const TwoBatches&) = delete;
  TwoBatches& operator=(const TwoBatches&) = delete;
  ~TwoBatches() {
    for (int i = 0; i < 2; ++i) {
      cudaFreeHost(in[i]);
      cudaFreeHost(out[i]);
      cudaEventDestroy(copied[i]);
      cudaEventDestroy(consumed[i]);
    }
    cudaStreamDestroy(copies);
  }
  std::byte *in[2] = {}, *out[2] = {};
  cudaEvent_t copied[2] = {}, consumed[2] = {};
  cudaStream_t copies = nullptr;
};

/// Batch i is copied to one of two places on a stream of its own while batch i - 1 is computed.
void NetworkBenchOperator::run_on_device(const RunContext& run) {
  const auto stream = static_cast<cudaStream_t>(detail::launcher_of(run).stream);
  auto* const arena = run.scratch<std::byte>();
  std::byte* const places[2] = {arena + padded(arena_bytes_), arena + padded(arena_bytes_) + padded(in_bytes_)};
  TwoBatches host(in_bytes_, out_bytes_);
  for (std::byte* to : host.in) std::memcpy(to, job.input.data(), in_bytes_);
  const auto batches = [&](std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      const int at = static_cast<int>(i % 2);
      if (i >= 2) require(cudaStreamWaitEvent(host.copies, host.consumed[at], 0), "waiting for an event");
      require(cudaMemcpyAsync(places[at], host.in[at], in_bytes_, cudaMemcpyHostToDevice, host.copies), "copying");
      require(cudaEventRecord(host.copied[at], host.copies), "recording an event");
      require(cudaStreamWaitEvent(stream, host.copied[at], 0), "waiting for an event");
      require(cudaMemcpyAsync(arena + executor_->inputs()[0].offset, places[at], in_bytes_, cudaMemcpyDeviceToDevice,
                              stream),
              "copying");
      require(cudaEventRecord(host.consumed[at], stream), "recording an event");
      executor_->run(stream);
      require(cudaMemcpyAsync(host.out[at], arena + executor_->outputs()[0].offset, out_bytes_, cudaMemcpyDeviceToHost,
                              stream),
              "copying");
    }
    require(cudaStreamSynchronize(host.copies), "waiting for copies");
    require(cudaStreamSynchronize(stream), "waiting for the network");
  };
  batches(4);  // the second run is recorded
  job.figures.error = relative_error(reinterpret_cast<const float*>(host.out[0]), job.expected);
  const auto begin = Clock::now();
  batches(job.what.runs);
  job.figures.run_s = std::chrono::duration<double>(Clock::now() - begin).count();
}

/// Fills the job and runs it once through a session. What goes wrong is told in the row's "failed".
bool measure(const std::string& device, const Case& what, std::FILE* json, bool first) {
  job = {what, {}, {}, {}};
  const infer::OnnxModel one = what.model(1);
  infer::Shape shape;
  for (const auto& d : *one.inputs[0].shape) shape.push_back(d.extent);
  const auto count = static_cast<std::size_t>(infer::element_count(shape));
  job.input.resize(count * static_cast<std::size_t>(what.batch));
  for (std::size_t i = 0; i < job.input.size(); ++i) job.input[i] = static_cast<float>(i % 1021) / 511 - 1;
  std::string problem;
  try {
    {
      const auto reference = infer::plan_cpu(infer::lower(one, {}), {});
      std::vector<std::byte> memory(static_cast<std::size_t>(reference->summary().arena_bytes) + 256);
      auto* const arena =
          reinterpret_cast<std::byte*>((reinterpret_cast<std::uintptr_t>(memory.data()) + 255) / 256 * 256);
      reference->bind(arena);
      std::memcpy(arena + reference->inputs()[0].offset, job.input.data(), count * sizeof(float));
      reference->run(nullptr);
      const auto* scores = reinterpret_cast<const float*>(arena + reference->outputs()[0].offset);
      job.expected.assign(scores, scores + infer::element_count(reference->outputs()[0].shape));
    }
    auto start = Volume::describe(1, 1, 1, Geometry{}, "");
    testing::context().allocate(start);
    Pipeline pipeline(testing::context());
    const auto in = pipeline.add_input("in", start);
    const auto node = pipeline.add<NetworkBench>("network", {});
    pipeline.connect(in, node.input);
    pipeline.add_output("out", node.output);
    Session session = pipeline.prepare({.device = device});
    session.start();
    session.push("in", start);
    if (!session.pull("out")) session.wait();  // throws the item's error
  } catch (const Error& e) {
    problem = e.what();
  }
  const Figures& f = job.figures;
  const char* precision = network_precisions[static_cast<std::size_t>(what.precision)];
  const double rate = f.run_s > 0 ? static_cast<double>(what.batch * what.runs) / f.run_s : 0;
  std::printf("%-10s %-8s %-9s batch %4lld: %10.2f a second, planned in %.1f s, %.2g from float32%s%s\n",
              what.name.c_str(), device.c_str(), precision, static_cast<long long>(what.batch), rate, f.plan_s, f.error,
              problem.empty() ? "" : "; FAILED: ", problem.c_str());
  std::fflush(stdout);
  std::replace(problem.begin(), problem.end(), '"', '\'');
  std::fprintf(json,
               "%s\n  {\"network\": \"%s\", \"device\": \"%s\", \"precision\": \"%s\", \"batch\": %lld, "
               "\"per_second\": %.4g, \"plan_seconds\": %.3g, \"distance_from_float32\": %.3g, \"engine\": \"%s\", "
               "\"failed\": \"%s\"}",
               first ? "" : ",", what.name.c_str(), device.c_str(), precision, static_cast<long long>(what.batch), rate,
               f.plan_s, f.error, f.engine.c_str(), problem.c_str());
  std::fflush(json);
  return problem.empty();
}

int run_all(bool small, const char* file) {
  register_operator<NetworkBenchOperator>(testing::context().get());
  std::FILE* json = std::fopen(file, "w");
  if (json == nullptr) {
    std::fprintf(stderr, "networks_bench: %s cannot be written\n", file);
    return 2;
  }
  std::fputs("[", json);
  bool first = true, all_ran = true;
  for (const std::string& device : testing::devices()) {
    const bool cpu = device == "cpu";
    const std::int64_t batch = cpu ? 1 : 256, n = small ? 32 : 128;
    using P = NetworkPrecision;
    const std::vector<P> precisions = cpu ? std::vector{P::float32} : std::vector{P::bfloat16, P::float16, P::tf32};
    for (const P precision : precisions) {
      all_ran &= measure(device, {"resnet50", &resnet50, batch, cpu ? 8 : 40, precision}, json, first);
      all_ran &= measure(device, {"unet3d", [n](std::int64_t b) { return unet3d(b, n); }, 1, cpu ? 1 : 20, precision},
                         json, false);
      first = false;
    }
  }
  std::fputs("\n]\n", json);
  std::fclose(json);
  return all_ran ? 0 : 1;
}

}  // namespace
}  // namespace isocenter::benchmarks

int main(int argc, char** argv) {
  bool small = false;
  const char* file = "networks_bench.json";
  for (int i = 1; i < argc; ++i)
    if (std::strcmp(argv[i], "--small") == 0)
      small = true;
    else
      file = argv[i];
  return isocenter::benchmarks::run_all(small, file);
}
