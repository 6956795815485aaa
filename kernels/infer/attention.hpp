#pragma once
// softmax(scale * q k^T + bias) v for each matrix of a batch and its heads, on the CPU, without the scores in memory: a
// block of queries passes over the keys, whose maximum and sum are carried along. M. Milakov, N. Gimelshein, "Online
// normalizer calculation for softmax", arXiv:1805.02867, algorithm 3; T. Dao et al., "FlashAttention", NeurIPS 2022,
// algorithm 1. Sums are float32, in an order that the shape alone gives: threads do not move a bit.
#include <cstddef>
#include <cstdint>

namespace isocenter::detail {

/// Values by (batch, head, token, element), float32 or bfloat16.
struct AttentionValues {
  void* data;
  std::int64_t strides[4];  ///< in elements; 0 broadcasts
};

struct AttentionProblem {
  int batch, heads, queries, keys;
  int depth, width;  ///< elements of q and k, and of v and out
  float scale;
  bool narrow;                 ///< q, k, v and out are bfloat16
  bool has_bias, narrow_bias;  ///< bias by (batch, head, query, key)
  AttentionValues q, k, v, bias, out;
};

/// The processor has AVX-512 or AVX2 with FMA.
bool attention_runs_here();

/// Units of work: run_attention's range.
std::int64_t attention_blocks(const AttentionProblem& p);
/// What one thread needs while it works, aligned to 64 bytes.
std::int64_t attention_scratch_bytes(const AttentionProblem& p);
void run_attention(const AttentionProblem& p, std::int64_t begin, std::int64_t end, std::byte* scratch);

/// What a variant is made of; `lanes` queries of one block.
struct AttentionVariant {
  int lanes;
  void (*run)(const AttentionProblem&, std::int64_t begin, std::int64_t end, std::byte* scratch);
};
AttentionVariant attention_avx512();
AttentionVariant attention_avx2();

inline constexpr int attention_key_block = 256;  // scores of a block of queries stay in the second-level cache

}  // namespace isocenter::detail
