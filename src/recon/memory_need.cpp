#include "recon/memory_need.hpp"

#include <algorithm>

namespace isocenter::detail {

MemoryLeft memory_left_of(const PlanContext& plan, bool arrays_on_host) {
  const std::uint64_t device = plan.memory_left();
  return {arrays_on_host ? plan.host_memory_left() : device, device};
}

void refuse_memory(const PlanContext& plan, const std::string& what, const MemoryNeed& need, bool arrays_on_host,
                   const std::string& otherwise) {
  const MemoryLeft left = memory_left_of(plan, arrays_on_host);
  const bool of_device = need.device > left.device;
  const std::uint64_t needed = of_device ? need.device : need.arrays, has = of_device ? left.device : left.arrays;
  const std::uint64_t missing = std::max(need.device > left.device ? need.device - left.device : 0,
                                         need.arrays > left.arrays ? need.arrays - left.arrays : 0);
  throw Failure(ErrorCode::out_of_memory,
                what + " needs " + megabytes(needed, Rounded::up) +
                    (of_device && arrays_on_host ? "" : " with its output") + ", and " +
                    left_text(plan, has, of_device ? plan.device().name : "cpu"),
                more_memory(plan, missing) + otherwise);
}

}  // namespace isocenter::detail
