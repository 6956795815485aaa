// Never run on a GPU so far: compiled and linked only.
#include <cuda_runtime_api.h>

#include <isocenter/error.hpp>
#include <string>

#include "infer/cuda/device_queue.hpp"

namespace isocenter::infer {
namespace {

class CudaGraph final : public Recording {
 public:
  CudaGraph(int device_index, cudaGraphExec_t graph, cudaEvent_t launched)
      : device_index_(device_index), graph_(graph), launched_(launched) {}
  CudaGraph(const CudaGraph&) = delete;
  CudaGraph& operator=(const CudaGraph&) = delete;
  /// A launch of it may still run; launches of one graph run one after the other. The device is not synchronised:
  /// another session may record on it.
  ~CudaGraph() override {
    cudaSetDevice(device_index_);
    cudaEventSynchronize(launched_);
    cudaEventDestroy(launched_);
    cudaGraphExecDestroy(graph_);
  }
  void replay(void* stream) override {
    const auto s = static_cast<cudaStream_t>(stream);
    cudaError_t e = cudaGraphLaunch(graph_, s);
    if (e == cudaSuccess) e = cudaEventRecord(launched_, s);
    if (e != cudaSuccess)
      throw Failure(ErrorCode::device_lost,
                    std::string("CUDA does not launch the graph of a network: ") + cudaGetErrorString(e),
                    "look at the driver's log; the session has to be prepared again");
  }

 private:
  int device_index_;
  cudaGraphExec_t graph_;
  cudaEvent_t launched_;  ///< after the last launch: its stream may be gone by now
};

class CudaQueue final : public DeviceQueue {
 public:
  explicit CudaQueue(int device_index) : device_index_(device_index) {}
  void make_current() override { cudaSetDevice(device_index_); }
  bool begin_recording(void* stream) override {
    std::unique_lock<std::mutex> alone(recording_mutex(), std::try_to_lock);
    if (!alone.owns_lock()) return false;
    const auto s = static_cast<cudaStream_t>(stream);
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    if (stream == nullptr || cudaStreamIsCapturing(s, &status) != cudaSuccess ||
        status != cudaStreamCaptureStatusNone ||
        cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal) != cudaSuccess) {
      (void)cudaGetLastError();  // an answer, not an error that the next launch should report
      return false;
    }
    alone_ = std::move(alone);
    return true;
  }
  std::unique_ptr<Recording> end_recording(void* stream) override {
    const std::unique_lock<std::mutex> alone = std::move(alone_);
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t executable = nullptr;
    cudaError_t e = cudaStreamEndCapture(static_cast<cudaStream_t>(stream), &graph);
    if (e == cudaSuccess && graph != nullptr) e = cudaGraphInstantiate(&executable, graph, 0);
    if (graph != nullptr) cudaGraphDestroy(graph);
    cudaEvent_t launched = nullptr;
    if (e == cudaSuccess) e = cudaEventCreateWithFlags(&launched, cudaEventDisableTiming);
    if (e != cudaSuccess) {
      if (executable != nullptr) cudaGraphExecDestroy(executable);
      (void)cudaGetLastError();
      return nullptr;
    }
    return std::make_unique<CudaGraph>(device_index_, executable, launched);
  }

 private:
  int device_index_;
  std::unique_lock<std::mutex> alone_;  ///< from begin_recording to end_recording
};

}  // namespace

std::unique_ptr<DeviceQueue> cuda_queue(int device_index) { return std::make_unique<CudaQueue>(device_index); }

}  // namespace isocenter::infer
