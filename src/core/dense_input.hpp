#pragma once
// What operators that read a tensor row after row ask of their input.
#include <algorithm>
#include <isocenter/dense.hpp>
#include <isocenter/operator.hpp>

namespace isocenter::detail {

/// The tensor `name`; throws bad_data unless it is dense.
inline TensorView dense_tensor(const Payload& payload, const char* name) {
  const TensorView t = payload.tensor(name);
  if (!is_dense(t))
    throw Failure(ErrorCode::bad_data, std::string("the tensor '") + name + "' of the input is not dense",
                  "copy it into a dense tensor, the last axis fastest");
  return t;
}

/// The same, of the type and shape that were planned.
inline TensorView planned_tensor(const Payload& payload, const char* name, const TensorView& planned) {
  const TensorView t = dense_tensor(payload, name);
  if (t.dtype != planned.dtype || t.rank != planned.rank || !std::equal(t.shape, t.shape + t.rank, planned.shape))
    throw Failure(ErrorCode::bad_data, std::string("the tensor '") + name + "' has another size than was planned",
                  "give items of one size, or prepare a session for each size");
  return t;
}

}  // namespace isocenter::detail
