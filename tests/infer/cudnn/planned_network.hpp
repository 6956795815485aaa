#pragma once
// Networks planned by the CUDA executor without a GPU: cuDNN and the runtime are stood in for.
#include "fixture.hpp"
#include "host_convolutions.hpp"
#include "infer/cuda/cuda_executor.hpp"
#include "infer/threads.hpp"

namespace isocenter::infer::test {

/// What a queue was asked for.
struct Calls {
  int begun = 0, ended = 0, replayed = 0, destroyed = 0;
  bool takes = true, records = true;
};

class CountedRecording final : public Recording {
 public:
  explicit CountedRecording(Calls& calls) : calls_(calls) {}
  ~CountedRecording() override { ++calls_.destroyed; }
  void replay(void*) override { ++calls_.replayed; }

 private:
  Calls& calls_;
};

class CountedQueue final : public DeviceQueue {
 public:
  explicit CountedQueue(Calls& calls) : calls_(calls) {}
  void make_current() override {}
  bool begin_recording(void*) override {
    calls_.begun += calls_.takes ? 1 : 0;
    return calls_.takes;
  }
  std::unique_ptr<Recording> end_recording(void*) override {
    ++calls_.ended;
    return calls_.records ? std::make_unique<CountedRecording>(calls_) : nullptr;
  }

 private:
  Calls& calls_;
};

/// Constants that an executor "uploaded" live as long as this.
struct Planned {
  std::vector<std::byte> constants;
  UploadedWeights* weights = nullptr;
  std::shared_ptr<HostConvolutions> library;
  Calls calls{.takes = false};
  std::unique_ptr<Executor> executor;
};

inline std::unique_ptr<Planned> plan_with(const std::shared_ptr<CudnnDevice>& library, Graph graph, Precision precision,
                                          UploadedWeights* weights = nullptr) {
  auto p = std::make_unique<Planned>();
  p->weights = weights;
  CudaEngineRequest request;
  request.graph = std::move(graph);
  request.precision = precision;
  request.launcher = cpu_launcher(1);
  request.user = p.get();
  request.upload = [](void* user, const void* data, std::size_t bytes) {
    auto& planned = *static_cast<Planned*>(user);
    return upload_once(planned.weights, {static_cast<const std::byte*>(data), bytes},
                       [&planned](std::span<const std::byte> all) {
                         planned.constants.assign(all.begin(), all.end());
                         return planned.constants.data();
                       });
  };
  p->executor = plan_with_cudnn(request, library, std::make_unique<CountedQueue>(p->calls));
  return p;
}

inline std::unique_ptr<Planned> plan(Graph graph, Precision precision, HostConvolutions::Refuses refuses = {},
                                     bool operations = true) {
  const auto library = std::make_shared<HostConvolutions>(std::move(refuses), operations);
  auto p = plan_with(library, std::move(graph), precision);
  p->library = library;
  return p;
}

inline const std::vector<std::pair<Precision, double>> bounds = {
    {Precision::float32, 1e-5}, {Precision::bfloat16, 0.02}, {Precision::float16, 0.003}};

}  // namespace isocenter::infer::test
