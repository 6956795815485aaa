#pragma once
// What cuDNN plans beside convolutions: normalisations, pools, products of two computed matrices and attention.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "infer/schedule.hpp"

namespace isocenter::infer {

/// Extents in the order that cuDNN's operation names them, strides in elements.
struct CudnnTensor {
  Shape shape, strides;
  ElementType type = ElementType::f32;
};

/// One operation as one graph, summed in float32.
struct CudnnOperation {
  enum class Kind : std::uint8_t {
    instance_norm,  ///< x (n, c, spatial...), scale and shift (1, c, 1...)
    layer_norm,     ///< x (rows, c, 1, 1), scale and shift (1, c, 1, 1)
    pool,           ///< x (n, c, spatial...)
    product,        ///< a (batch, rows, depth), b (batch, depth, columns)
    attention       ///< Attention's, in four axes
  } kind = Kind::pool;
  std::vector<CudnnTensor> inputs;
  CudnnTensor output;
  float factor = 0.0F;  ///< a norm's epsilon, the scale of attention's scores
  Activation then;      ///< of a norm
  Pool pool;
  bool tf32 = false;  ///< products of float32 may round their factors to TF32
};

class CudnnPlan {
 public:
  virtual ~CudnnPlan() = default;
  virtual std::int64_t workspace_bytes() const = 0;
  virtual std::string plan_name() const = 0;
  /// Enqueues on the device's stream; as many inputs as the operation has. Throws device_lost.
  virtual void run(const std::vector<const void*>& inputs, void* output, void* workspace) = 0;
};

/// The operation that a node is as its values lie; none where cuDNN is not asked. Constants take the type that they
/// have in `inputs`.
std::optional<CudnnOperation> cudnn_operation(const Schedule& schedule, const Node& node);

}  // namespace isocenter::infer
