#pragma once
// Convolutions as cuDNN 9 graphs, and the device that plans them and what cudnn_operation.hpp has. The only unit that
// sees cuDNN Frontend is cudnn_device.cpp: it costs most of a minute to compile.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "infer/cuda/cudnn_operation.hpp"

namespace isocenter::infer {

/// One convolution in channels-last data, with what was fused into it: y = then(conv(x, w) + bias + residual), summed
/// in float32.
struct CudnnProblem {
  Shape x, w, y;  ///< in ONNX's axis order; two or three spatial axes
  Convolution convolution;
  bool tf32 = false;                       ///< products of float32 may round their factors to TF32
  ElementType factors = ElementType::f32;  ///< of x and w: f32, bf16 or f16
  ElementType bias = ElementType::f32, residual = ElementType::f32, result = ElementType::f32;
};

class CudnnConvolution {
 public:
  virtual ~CudnnConvolution() = default;
  virtual std::int64_t workspace_bytes() const = 0;
  virtual std::string plan_name() const = 0;
  /// It was made before and only read again.
  virtual bool was_kept() const = 0;
  /// Enqueues on the device's stream. bias and residual are null where the problem has none. Throws device_lost.
  virtual void run(const void* x, const void* w, const void* bias, const void* residual, void* y, void* workspace) = 0;
};

/// How one of cuDNN's plans for a problem is taken.
enum class PlanChoice : std::uint8_t {
  heuristic,  ///< cuDNN's first
  autotuned,  ///< the fastest of the first ones, timed on the device when the network is planned
};
/// "heuristic" (or null) and "autotuned". Throws invalid_argument for other words.
PlanChoice plan_choice(const char* word);

/// Where graphs are planned: for a device that is there, or from a description of one that is not.
class CudnnDevice {
 public:
  /// The current CUDA device. Throws unsupported when cuDNN cannot be used there. Plans are kept in the folder that the
  /// environment's ISOCENTER_PLAN_FOLDER names, and nowhere without it; ISOCENTER_PLAN_CHOICE says how they are chosen.
  static std::shared_ptr<CudnnDevice> present();
  /// A device described by cuDNN's JSON (CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, cuDNN 9.8 or newer): plans can be
  /// made and not run, and kept in `plan_folder` where one is given.
  static std::shared_ptr<CudnnDevice> described(const std::string& json, const std::string& plan_folder = {},
                                                PlanChoice choice = PlanChoice::heuristic);
  virtual ~CudnnDevice() = default;
  virtual void set_stream(void* stream) = 0;
  /// "cuDNN 9.19.0, plans heuristic", or "autotuned, 2 not timed", for reports.
  virtual std::string name() const = 0;
  /// Plans a problem as one graph, its products as exact as asked for (no Winograd) and with the same bits at every
  /// run; null, with the reason, when cuDNN has no plan for it. A plan that was kept is taken instead. The device has
  /// to outlive the plan.
  virtual std::unique_ptr<CudnnConvolution> plan(const CudnnProblem& problem, std::string& why_not) = 0;
  virtual std::unique_ptr<CudnnPlan> plan(const CudnnOperation& operation, std::string& why_not) = 0;
};

/// The problem that a convolution poses, or a matrix product with constant weights: a convolution of one tap, its rows
/// the pixels. None for other nodes. One spatial axis alone gets a second of extent 1.
std::optional<CudnnProblem> cudnn_problem(const Graph& graph, const Node& node);

/// Plans as much of the problem in one graph as cuDNN does: all of it, else without residual and activation, else
/// without the bias too. The bias is of the factors' type where that is planned, else float32. The problem is then what
/// was planned.
std::unique_ptr<CudnnConvolution> plan_as_fused_as_possible(CudnnDevice& device, CudnnProblem& problem,
                                                            std::string& why_not);

}  // namespace isocenter::infer
