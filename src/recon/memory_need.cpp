#include "recon/memory_need.hpp"

#include <algorithm>
#include <cstdio>

namespace isocenter::detail {

namespace {
std::string megabytes(std::uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.5g MB", static_cast<double>(bytes) * 1e-6);
  return text;
}
}  // namespace

MemoryLeft memory_left_of(const PlanContext& plan, bool arrays_on_host) {
  const std::uint64_t device = plan.memory_left();
  return {arrays_on_host ? plan.host_memory_left() : device, device};
}

void refuse_memory(const PlanContext& plan, const std::string& what, const MemoryNeed& need, bool arrays_on_host,
                   const std::string& otherwise) {
  const MemoryLeft left = memory_left_of(plan, arrays_on_host);
  const bool of_device = need.device > left.device;
  const std::uint64_t needed = of_device ? need.device : need.arrays, has = of_device ? left.device : left.arrays;
  const std::uint64_t budget = plan.memory_budget() > 0 ? plan.memory_budget() : has;
  const std::uint64_t missing = std::max(need.device > left.device ? need.device - left.device : 0,
                                         need.arrays > left.arrays ? need.arrays - left.arrays : 0);
  throw Failure(ErrorCode::out_of_memory,
                what + " needs " + megabytes(needed) + (of_device && arrays_on_host ? "" : " with its output") +
                    ", and of the budget " + megabytes(has) + " are left on '" +
                    (of_device ? plan.device().name : "cpu") + "'",
                "raise the budget to " + megabytes(budget + missing) + " at least" + otherwise);
}

}  // namespace isocenter::detail
