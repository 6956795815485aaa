#pragma once
// Tensors in and out without a copy, through DLPack (dmlc/dlpack, the tensor structure that PyTorch, CuPy, JAX and
// others exchange). Needs <dlpack/dlpack.h> of version 0.6 or later from the user.
#include <dlpack/dlpack.h>

#include <isocenter/pipeline.hpp>
#include <memory>

namespace isocenter::detail {

inline DLDataType to_dlpack_type(DType type) {
  switch (type) {
    case DType::uint8:
      return {kDLUInt, 8, 1};
    case DType::int8:
      return {kDLInt, 8, 1};
    case DType::uint16:
      return {kDLUInt, 16, 1};
    case DType::int16:
      return {kDLInt, 16, 1};
    case DType::int32:
      return {kDLInt, 32, 1};
    case DType::float32:
      return {kDLFloat, 32, 1};
    case DType::float64:
      return {kDLFloat, 64, 1};
    default:
      return {kDLComplex, 64, 1};
  }
}

inline DType from_dlpack_type(DLDataType t) {
  for (const DType candidate : {DType::uint8, DType::int8, DType::uint16, DType::int16, DType::int32, DType::float32,
                                DType::float64, DType::complex64}) {
    const DLDataType c = to_dlpack_type(candidate);
    if (c.code == t.code && c.bits == t.bits && t.lanes == 1) return candidate;
  }
  raise(ErrorCode::unsupported,
        "a DLPack tensor of type code " + std::to_string(t.code) + ", " + std::to_string(t.bits) + " bits, " +
            std::to_string(t.lanes) +
            " lanes cannot be taken. Fix: convert it to an 8 to 32 bit integer, float32 or float64.");
}

}  // namespace isocenter::detail

namespace isocenter::inline v1 {

/// A payload's tensor as DLPack. It shares the memory and keeps the payload alive until its deleter is called, which is
/// the receiver's duty, as DLPack has it.
inline DLManagedTensor* to_dlpack(const Payload& payload, const char* tensor_name) {
  struct Held {
    Payload payload;
    TensorView view;
    DLManagedTensor managed{};
  };
  auto held = std::make_unique<Held>(Held{payload, payload.tensor(tensor_name), {}});
  if (held->view.data == nullptr)
    detail::raise(ErrorCode::invalid_state, "the payload is a description without data. Fix: allocate it first.");
  const std::string device = payload.device();
  const bool cuda = device.rfind("cuda:", 0) == 0;
  DLTensor& t = held->managed.dl_tensor;
  t.data = held->view.data;
  t.device = {cuda ? kDLCUDA : kDLCPU, cuda ? std::atoi(device.c_str() + 5) : 0};
  t.ndim = held->view.rank;
  t.dtype = detail::to_dlpack_type(held->view.type());
  t.shape = held->view.shape;
  t.strides = held->view.strides;
  t.byte_offset = 0;
  held->managed.manager_ctx = held.get();
  held->managed.deleter = [](DLManagedTensor* self) { delete static_cast<Held*>(self->manager_ctx); };
  return &held.release()->managed;
}

/// Takes a DLPack tensor into a payload (of which it becomes tensor `tensor_name` with these axes, slowest first); its
/// deleter is called when the payload goes. CPU and CUDA memory.
inline void from_dlpack(const Context& context, Payload& payload, const char* tensor_name, const char* axes,
                        DLManagedTensor* managed) {
  const DLTensor& t = managed->dl_tensor;
  TensorView view;
  view.dtype = static_cast<std::int32_t>(detail::from_dlpack_type(t.dtype));
  if (t.ndim < 1 || t.ndim > ISOCENTER_MAX_RANK || std::strlen(axes) != static_cast<std::size_t>(t.ndim))
    detail::raise(ErrorCode::invalid_argument, "a DLPack tensor of rank " + std::to_string(t.ndim) +
                                                   " does not fit the axes '" + axes +
                                                   "'. Fix: give one letter an axis, at most 6.");
  view.rank = t.ndim;
  std::strncpy(view.axes, axes, sizeof view.axes - 1);
  for (int i = 0; i < t.ndim; ++i) {
    view.shape[i] = t.shape[i];
    view.strides[i] = t.strides != nullptr ? t.strides[i] : 0;
  }
  view.data = static_cast<char*>(t.data) + t.byte_offset;
  const bool cuda = t.device.device_type == kDLCUDA;
  if (!cuda && t.device.device_type != kDLCPU && t.device.device_type != kDLCUDAHost)
    detail::raise(ErrorCode::unsupported, "a DLPack tensor on device type " +
                                              std::to_string(static_cast<int>(t.device.device_type)) +
                                              " cannot be taken. Fix: copy it to the CPU or a CUDA device.");
  payload.set_tensor(tensor_name, view);
  const std::string device = cuda ? "cuda:" + std::to_string(t.device.device_id) : "cpu";
  detail::call([&](auto* e) { return isocenter_payload_set_device(payload.get(), context.get(), device.c_str(), e); });
  detail::call([&](auto* e) {
    return isocenter_payload_set_owner(
        payload.get(),
        [](void* p) {
          auto* self = static_cast<DLManagedTensor*>(p);
          if (self->deleter != nullptr) self->deleter(self);
        },
        managed, e);
  });
}

}  // namespace isocenter::inline v1
