#pragma once
#include <isocenter/isocenter.h>

#include <cstdint>

namespace isocenter::detail {

/// Whether a tensor's elements lie one after the other, last axis fastest. The stride of an axis of one element says
/// nothing; strides that are all zero say dense (isocenter_tensor).
inline bool is_dense(const isocenter_tensor& t) {
  bool described = true, dense = true;
  std::int64_t next = 1;
  for (int i = t.rank - 1; i >= 0; next *= t.shape[i--]) {
    described = described && t.strides[i] == 0;
    dense = dense && (t.shape[i] == 1 || t.strides[i] == next);
  }
  return described || dense;
}

}  // namespace isocenter::detail
