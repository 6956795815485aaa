// CUDA's engine without a GPU: the steps that it plans, with cuDNN's part and the stream stood in for and the kernels
// of ours run by the CPU. It says which nodes CUDA's engine takes and that its kernels compute them, and nothing of a
// GPU.
#include "cudnn/host_convolutions.hpp"
#include "infer/cuda/cuda_executor.hpp"
#include "infer/threads.hpp"
#include "node_executor.hpp"

namespace {

using namespace isocenter::infer;

/// Takes no recording: everything runs as it is enqueued.
class NoQueue final : public DeviceQueue {
 public:
  void make_current() override {}
  bool begin_recording(void*) override { return false; }
  std::unique_ptr<Recording> end_recording(void*) override { return nullptr; }
};

}  // namespace

std::unique_ptr<Executor> plan_graph(Graph graph) {
  static std::vector<std::byte> constants;  // of the plan that runs
  CudaEngineRequest request;
  request.graph = std::move(graph);
  request.launcher = cpu_launcher(1);
  request.upload = [](void*, const void* data, std::size_t bytes) {
    constants.assign(static_cast<const std::byte*>(data), static_cast<const std::byte*>(data) + bytes);
    return constants.data();
  };
  return plan_with_cudnn(request, std::make_shared<test::HostConvolutions>(nullptr), std::make_unique<NoQueue>());
}
