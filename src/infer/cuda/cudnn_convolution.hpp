#pragma once
// Convolutions as cuDNN 9 graphs. The only unit that sees cuDNN Frontend is cudnn_convolution.cpp: it costs most of a
// minute to compile.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "infer/graph.hpp"

namespace isocenter::infer {

/// Where graphs are planned: for a device that is there, or from a description of one that is not.
class CudnnDevice {
 public:
  /// The current CUDA device. Throws unsupported when cuDNN cannot be used there. Plans are kept in the folder that the
  /// environment's ISOCENTER_PLAN_FOLDER names, and nowhere without it.
  static std::shared_ptr<CudnnDevice> present();
  /// A device described by cuDNN's JSON (CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, cuDNN 9.8 or newer): plans can be
  /// made and not run, and kept in `plan_folder` where one is given.
  static std::shared_ptr<CudnnDevice> described(const std::string& json, const std::string& plan_folder = {});
  virtual ~CudnnDevice() = default;
  virtual void set_stream(void* stream) = 0;
};

/// One convolution in channels-last float32, with what was fused into it: y = then(conv(x, w) + bias + residual).
struct CudnnProblem {
  Shape x, w, y;  ///< in ONNX's axis order; two or three spatial axes
  Convolution convolution;
  bool tf32 = false;  ///< products may round their factors to TF32
};

class CudnnConvolution {
 public:
  virtual ~CudnnConvolution() = default;
  virtual std::int64_t workspace_bytes() const = 0;
  virtual std::string plan_name() const = 0;
  /// It was made before and only read again.
  virtual bool was_kept() const = 0;
  /// Enqueues on the device's stream. bias and residual are null where the problem has none. Throws device_lost.
  virtual void run(const float* x, const float* w, const float* bias, const float* residual, float* y,
                   void* workspace) = 0;
};

/// Plans a problem as one graph, its products in float32 (no Winograd; TF32 where the problem says so) and with the
/// same bits at every run; null, with the reason, when cuDNN has no plan for it. A plan that was kept is taken instead.
std::unique_ptr<CudnnConvolution> plan_cudnn(const std::shared_ptr<CudnnDevice>& device, const CudnnProblem& problem,
                                             std::string& why_not);

/// The problem that a convolution node poses; one spatial axis alone gets a second of extent 1.
CudnnProblem cudnn_problem(const Graph& graph, const Node& node);

/// Plans as much of the problem in one graph as cuDNN does: all of it, else without residual and activation, else
/// without the bias too. The problem is then what was planned.
std::unique_ptr<CudnnConvolution> plan_as_fused_as_possible(const std::shared_ptr<CudnnDevice>& device,
                                                            CudnnProblem& problem, std::string& why_not);

/// "cuDNN 9.19.0".
std::string cudnn_version();

}  // namespace isocenter::infer
