#include "infer/attention.hpp"

namespace isocenter::detail {
namespace {

AttentionVariant chosen() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("fma"))
    return attention_avx512();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return attention_avx2();
#endif
  return {0, nullptr};
}

const AttentionVariant& variant() {
  static const AttentionVariant found = chosen();
  return found;
}

}  // namespace

bool attention_runs_here() { return variant().run != nullptr; }

std::int64_t attention_blocks(const AttentionProblem& p) {
  return static_cast<std::int64_t>(p.batch) * p.heads * ((p.queries + variant().lanes - 1) / variant().lanes);
}

std::int64_t attention_scratch_bytes(const AttentionProblem& p) {
  const std::int64_t lanes = variant().lanes;
  const std::int64_t floats = lanes * (p.depth + attention_key_block + p.width + 2) +
                              static_cast<std::int64_t>(attention_key_block) * (p.depth + p.width);
  return (floats * static_cast<std::int64_t>(sizeof(float)) + 255) / 256 * 256;
}

void run_attention(const AttentionProblem& p, std::int64_t begin, std::int64_t end, std::byte* scratch) {
  variant().run(p, begin, end, scratch);
}

}  // namespace isocenter::detail
