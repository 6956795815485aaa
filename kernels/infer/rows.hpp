#pragma once
// What transformers do along rows whose elements lie together: layer norm and softmax, on the CPU. One source for all
// instruction sets, sums in sixteen lanes in a fixed order: the same bits on each, with any number of threads.
#include <cstdint>

#include "infer/pack16.hpp"

namespace isocenter::detail {

/// float32, or bfloat16 where `narrow`.
struct RowData {
  void* data;
  std::int64_t step;  ///< elements from a row to the next
  bool narrow;
};

/// out = (in - mean) / sqrt(variance + epsilon) * scale + shift for each row, the mean and the variance over its
/// `count` elements. J. Ba et al., "Layer normalization", arXiv:1607.06450, eq. 4. The input may be the output.
struct LayerNormRows {
  RowData in, out;
  const float *scale, *shift;
  int count;
  float epsilon;
};
/// Rows [begin, end).
void run_layer_norm(const LayerNormRows& rows, std::int64_t begin, std::int64_t end);

/// out = softmax(in) for each row, or its logarithm. The largest is taken away first. The input may be the output.
struct SoftmaxRows {
  const float* in;
  float* out;
  int count;
  bool logarithm;
};
void run_softmax(const SoftmaxRows& rows, std::int64_t begin, std::int64_t end);

/// What the two above choose from.
Variants<void (*)(const LayerNormRows&, std::int64_t, std::int64_t)> layer_norm_variants();
Variants<void (*)(const SoftmaxRows&, std::int64_t, std::int64_t)> softmax_variants();

}  // namespace isocenter::detail
