#pragma once
// What a projector's arrays need in the memory where they lie, and in that of the device that projects them: one and
// the same, but where a device's arrays stay in host memory.
#include <isocenter/operator.hpp>

#include "core/memory_words.hpp"

namespace isocenter::detail {

struct MemoryNeed {
  std::uint64_t arrays = 0, device = 0;
};

struct MemoryLeft {
  std::uint64_t arrays = 0, device = 0;
  bool holds(const MemoryNeed& need) const { return need.arrays <= arrays && need.device <= device; }
  /// An eighth less: for the nodes behind.
  MemoryLeft shared() const {
    const auto less = [](std::uint64_t n) { return n == UINT64_MAX ? n : n - n / 8; };
    return {less(arrays), less(device)};
  }
};
MemoryLeft memory_left_of(const PlanContext& plan, bool arrays_on_host);

/// Throws Failure: `what` ("even in slabs of ..., cgls_reconstruction") needs more than is left. `otherwise` is another
/// remedy ("", or ", or use more subsets").
[[noreturn]] void refuse_memory(const PlanContext& plan, const std::string& what, const MemoryNeed& need,
                                bool arrays_on_host, const std::string& otherwise);

}  // namespace isocenter::detail
